"""What of a spec could be changed to spend less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ..spec import EndpointSpec, SpecError, parse_spec

_KEEP_ALIVES = (None, "5m", "10m", "20m")
_LEARNED = "learned"


@dataclass(frozen=True)
class Change:
    """One field of a spec, before and after; `spec` has it."""

    field: str
    before: str
    after: str
    spec: EndpointSpec

    @property
    def words(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


def changes(spec: EndpointSpec) -> Iterator[Change]:
    """What one could do to spend less: sleep sooner, keep less, have fewer copies at most."""
    document = spec.model_dump(mode="json")
    scaling = document["scaling"]
    for keep in _KEEP_ALIVES:
        yield from _changed(document, ("scaling", "keep_alive"), keep)
    yield from _fewer(document, ("scaling",), scaling)
    for number, window in enumerate(document["schedule"].get("windows", ())):
        yield from _fewer(document, ("schedule", "windows", number), window)


def _fewer(
    document: Mapping[str, Any], path: tuple[str | int, ...], part: Mapping[str, Any]
) -> Iterator[Change]:
    """No copy kept, one less kept, one less at most."""
    least, most = part.get("min_copies") or 0, part.get("max_copies") or 0
    for copies in sorted({0, max(least - 1, 0)} if least else ()):
        yield from _changed(document, (*path, "min_copies"), copies)
    if most > 1:
        yield from _changed(document, (*path, "max_copies"), most - 1)


def _changed(
    document: Mapping[str, Any], path: Sequence[str | int], value: Any
) -> Iterator[Change]:
    """Nothing, if it is so already or would be no spec."""
    changed: Any = deepcopy(dict(document))
    part = changed
    for key in path[:-1]:
        part = part[key]
    before = part.get(path[-1])
    if before == value:
        return
    part[path[-1]] = value
    try:
        spec = parse_spec(changed)
    except SpecError:
        return
    names = [f"[{document['schedule']['windows'][key]['name']}]" if isinstance(key, int) else key
             for key in path]  # fmt: skip
    field = ".".join(names).replace(".[", "[")
    yield Change(field, _word(before), _word(value), spec)


def _word(value: Any) -> str:
    return _LEARNED if value is None else str(value)
