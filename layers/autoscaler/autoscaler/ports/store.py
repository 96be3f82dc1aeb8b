"""The stack's table: specs, statuses, history and usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from ..catalog.prices import PriceBook
from ..endpoints.learned import StoredPattern
from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord, EndpointStatus, HistoryEntry, Traffic, UsageSegment
from ..spec import EndpointSpec


class ConflictError(RuntimeError):
    """Somebody else wrote first: read again and look."""


class EndpointStore(Protocol):
    """Specs, statuses, history and usage; every write of a status is conditional.

    Records come with the prices of the store's Region, and with what holds for the whole stack.
    """

    def load_all(self) -> list[EndpointRecord]: ...

    def load(self, name: str) -> EndpointRecord | None: ...

    def create(self, spec: EndpointSpec, status: EndpointStatus) -> None:
        """Raises ConflictError when the name is taken."""

    def prices(self) -> PriceBook:
        """The Region's price book; the bundled table when none was kept."""

    def keep_prices(self, book: PriceBook) -> None: ...

    def stack(self) -> StackState:
        """The kill switch and the stack's budget, as they are now."""

    def save_stack(self, state: StackState) -> StackState:
        """Writes it if the stored version is still `state.version`; returns it with its new one.
        Raises ConflictError otherwise."""

    def last_generation(self, name: str) -> int:
        """The last generation of a forgotten endpoint of that name; 0 when there was none.

        Executions are named after generations, and their names stay taken for 90 days.
        """

    def save(
        self,
        status: EndpointStatus,
        *,
        spec: EndpointSpec | None = None,
        pattern: StoredPattern | None = None,
        segments: Sequence[UsageSegment] = (),
        entries: Sequence[HistoryEntry] = (),
    ) -> EndpointStatus:
        """Writes all of it or nothing, if the stored version is still `status.version`.

        Returns the status with its new version; raises ConflictError otherwise.
        """

    def forget(self, status: EndpointStatus) -> None:
        """Removes spec, status and pattern; history, usage and the last generation stay.
        Conditional like `save`."""

    def usage(self, start: datetime, end: datetime) -> list[UsageSegment]:
        """Closed segments of all endpoints that touch [start, end)."""

    def history(self, name: str, limit: int = 50) -> list[HistoryEntry]:
        """Newest first."""

    def history_within(self, name: str, start: datetime, end: datetime) -> list[HistoryEntry]:
        """All lines of [start, end), oldest first, however many; those of the last HISTORY_DAYS
        are kept."""

    def count_traffic(self, traffic: Traffic) -> None:
        """Adds to the counters of a UTC hour."""

    def count_failure(self, name: str, message_id: str, now: datetime) -> int:
        """Counts one failed try of a message; returns how many there were."""

    def note_due(self, name: str, due_at: datetime, now: datetime) -> None:
        """A request that may wait is due then: kept if it is the first, or what was is past."""

    def forget_due(self, name: str, due_at: datetime) -> None:
        """It is done: no more kept, if it was the one."""

    def traffic(self, start: date, end: date) -> list[Traffic]:
        """Counters of all endpoints for the UTC days start..end, both included."""
