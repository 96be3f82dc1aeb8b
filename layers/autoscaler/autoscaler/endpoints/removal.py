"""What there may be of an endpoint in SageMaker besides itself: its configs and models. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .names import ResourceNames
from .status import Shape


def removable(prefix: str, name: str, shapes: Sequence[Shape]) -> dict[str, list[str]]:
    """`{configs, models}`: the names of both for each shape, each once."""
    named = [ResourceNames(prefix, name, **shape.model_dump()) for shape in shapes]
    return {
        "configs": list(dict.fromkeys(names.config for names in named)),
        "models": list(dict.fromkeys(names.model for names in named)),
    }


def obsolete(
    prefix: str, name: str, before: Shape, after: Shape, rungs: int
) -> dict[str, list[str]]:
    """What an update has left behind: all rungs of the builds that are in use no more."""
    old = [before.model_copy(update={"rung": rung}) for rung in range(rungs)]
    new = [after.model_copy(update={"rung": rung}) for rung in range(rungs)]
    kept = removable(prefix, name, new)
    return {
        kind: [one for one in names if one not in kept[kind]]
        for kind, names in removable(prefix, name, old).items()
    }
