"""The ports that the flows act through, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from ..ports import Announcer, Clock, EndpointStore, Flows, LoadReader, Scaler


@dataclass(frozen=True)
class World:
    """Everything that reconcile, wake, sleep and retire look at and move."""

    clock: Clock
    store: EndpointStore
    load: LoadReader
    scaler: Scaler
    flows: Flows
    announcer: Announcer


class UnknownEndpointError(LookupError):
    """No endpoint of that name; says which there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        have = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"there is no endpoint {name!r}; endpoints here: {have}")
