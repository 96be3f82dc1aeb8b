"""What already has the names that an endpoint would have: refused before anything is created.

Whose it is, is told by the stack's tag alone. What SageMaker has of that name would otherwise be
taken for what was to be created, with another model in it or on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..endpoints.names import ResourceNames
from ..endpoints.tags import DELETABLE, STACK, is_ours, may_be_deleted
from ..spec import SpecError
from .sweep import Kind, Resource

# All that AWS has under the names of an endpoint, with its tags: its own name, and that of the
# SageMaker endpoint that it is on.
FindNamesakes = Callable[[str, str], Sequence[Resource]]
SAGEMAKER = (Kind.ENDPOINT, Kind.COMPONENT, Kind.CONFIG, Kind.MODEL)


class LeftoverError(SpecError):
    """A failed endpoint's own remains must go before it is created again."""


def nothing(_name: str, _hosted: str) -> Sequence[Resource]:
    return ()


def in_the_way(prefix: str, names: ResourceNames, found: Sequence[Resource]) -> Sequence[Resource]:
    """All of it but shared machines of the stack's own: they are there for this endpoint too."""
    return [
        one
        for one in found
        if not (
            names.shared
            and (one.kind, one.name) == (Kind.ENDPOINT, names.endpoint)
            and is_ours(one.tags or {}, prefix)
        )
    ]


def check_machines(prefix: str, names: ResourceNames, found: Sequence[Resource]) -> None:
    """Raises SpecError when shared machines are there that are not the stack's, or are not as the
    file needs them; those that are going are made anew."""
    for one in found:
        if not names.shared or (one.kind, one.name) != (Kind.ENDPOINT, names.endpoint):
            continue
        if not is_ours(one.tags or {}, prefix):
            raise SpecError(
                [f"instances.shared: the endpoint {one.name!r} exists already and is not this "
                 f"stack's (it has no tag {STACK}={prefix}); give instances.shared another name, "
                 "or delete that endpoint"]
            )  # fmt: skip
        if one.parent != names.config and one.status != "Deleting":
            raise SpecError(
                [f"instances.shared: the machines {names.shared!r} have the config {one.parent!r}, "
                 f"and this file needs {names.config!r}: another version of the stack made them, "
                 "or somebody changed them. An update of one that is on them moves them for all; "
                 "if nobody is, the hourly sweep removes them; or give instances.shared another "
                 "name"]
            )  # fmt: skip


def check_free(prefix: str, found: Sequence[Resource]) -> None:
    """For a new endpoint; raises SpecError with a sentence for each resource in its way."""
    problems = [
        _left_over(one, prefix) if is_ours(one.tags or {}, prefix) else _foreign(one, prefix)
        for one in found
    ]
    if problems:
        raise SpecError(problems)


def check_failed(prefix: str, name: str, found: Sequence[Resource]) -> None:
    """For one that failed: its queues stay, with every request; what SageMaker has of it is in the
    way. Raises SpecError for what is not the stack's, LeftoverError for what is."""
    there = [one for one in found if one.kind in SAGEMAKER]
    foreign = [_foreign(one, prefix) for one in foreign_of(prefix, there)]
    if foreign:
        raise SpecError(foreign)
    if there:
        what = ", ".join(one.kind for one in there)
        raise LeftoverError(
            [f"name: the {what} of the failed {name!r} must go before it is created again; "
             "`autoscaler apply` starts that: apply it again some minutes later"]
        )  # fmt: skip


def foreign_of(prefix: str, found: Sequence[Resource]) -> list[Resource]:
    """What an execution must neither take for its own nor delete."""
    return [one for one in found if not is_ours(one.tags or {}, prefix)]


def _foreign(one: Resource, prefix: str) -> str:
    return (
        f"name: the {one.kind} {one.name!r} exists already and is not this stack's (it has no tag "
        f"{STACK}={prefix}); give the endpoint another name, or delete that {one.kind}"
    )


def _left_over(one: Resource, prefix: str) -> str:
    if one.messages:
        mend = f"it holds {one.messages} requests: read or purge them, and delete it"
    elif may_be_deleted(one.tags or {}, prefix):
        mend = "the second hourly sweep that sees it removes it (`autoscaler sweep` shows when)"
    else:
        mend = f"tag it {DELETABLE}=true, and the sweep removes it"
    return (
        f"name: the {one.kind} {one.name!r} is left over from an earlier endpoint of this stack: "
        f"{mend}; apply again when it is gone, or give another name now"
    )
