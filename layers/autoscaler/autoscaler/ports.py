"""What the flows need of the world. `aws` implements these with boto3, tests in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from .catalog.prices import PriceBook
from .endpoints.container_log import LogLine
from .endpoints.learned import StoredPattern
from .endpoints.stack_state import StackState
from .endpoints.status import (
    EndpointRecord,
    EndpointStatus,
    HistoryEntry,
    Traffic,
    UsageSegment,
)
from .policy.types import Bounds
from .spec import EndpointSpec, Kind, ReplyTo, Tenant


class ConflictError(RuntimeError):
    """Somebody else wrote first: read again and look."""


class Clock(Protocol):
    """The present, timezone-aware UTC."""

    def now(self) -> datetime: ...


class PriceListError(RuntimeError):
    """The price list was not read, or what came is no price list; the message says why."""


class PriceList(Protocol):
    """AWS's own prices."""

    def read(self, region: str) -> Mapping[str, Decimal]:
        """Dollars per hour of SageMaker hosting by instance type; raises PriceListError."""


class QuotaError(RuntimeError):
    """The account's quotas could not be read; the message says why."""


class Quotas(Protocol):
    """How many instances of a type the account may have for endpoints."""

    def for_endpoints(self) -> Mapping[str, float]:
        """By instance type; a type that is absent is not known. Raises QuotaError."""


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


@dataclass(frozen=True)
class Minute:
    """What metrics tell of a minute that is over."""

    end: datetime
    concurrency_per_copy: float
    invocations: float = 0.0


@dataclass(frozen=True)
class Load:
    """An endpoint's queue and model as measured; None: the signal is missing."""

    backlog: int | None
    concurrency_per_copy: float | None  # as it was told last
    invocations: float | None = None  # requests of the last minutes, from whomever
    seconds_per_request: float | None = None
    served_per_second: float | None = None  # in the busiest of the last minutes
    invoked_at: datetime | None = None  # the end of the last minute that had a request
    deferrable: int = 0  # requests that may wait, which are no part of the backlog
    trouble: str | None = None  # what AWS answered in place of a signal that is missing
    unread: bool = False  # its metrics were left out: those that were read last stand for them
    minutes: tuple[Minute, ...] = ()  # of its metrics, since they were read last; oldest first


class SignalError(RuntimeError):
    """A signal that a decision cannot do without was refused by AWS; it passes."""


class LoadReader(Protocol):
    """Reads the demand on many endpoints at once."""

    def read(
        self,
        names: Sequence[str],
        now: datetime,
        kinds: Mapping[str, Kind],
        resting: Collection[str] = (),
        quiet: Collection[str] = (),
        since: Mapping[str, datetime] | None = None,
        unasked: Collection[str] = (),
    ) -> Mapping[str, Load]:
        """By the metrics that each of the `kinds` has. One endpoint's trouble is told in its own
        Load. Of those `resting` only the queue is read: they have no copy, and metrics are paid
        for by the query. Of those that are `quiet` too, unless something waits. Others' minutes
        begin where they were read last (`since`). Those `unasked` are taken to have no requests
        that may wait."""

    def backlog(self, name: str) -> int:
        """Waiting and in-flight messages of one queue, from SQS itself."""

    def deferrable(self, name: str) -> int:
        """As `backlog`, of the requests that may wait."""

    def untaken(self, name: str) -> int:
        """Of the backlog, the messages that lie there for whoever reads the queue."""

    def dead_letters(self, name: str) -> int:
        """Messages in its dead-letter queue, from SQS itself."""


UNKNOWN_TYPE = ""


@dataclass(frozen=True)
class Capacity:
    """What SageMaker says exists. `exists` False: it answered that there is no such endpoint.
    Of instances whose type nobody tells any more it is UNKNOWN_TYPE."""

    exists: bool
    desired_copies: int = 0
    current_copies: int = 0
    instances_by_type: Mapping[str, int] = field(default_factory=dict)
    status: str = ""
    failure: str | None = None
    changed_at: datetime | None = None  # when SageMaker last modified it, by its own clock

    @property
    def instances(self) -> int:
        return sum(self.instances_by_type.values())

    @property
    def copies(self) -> int:
        """Those that are there or shall be, whichever are more."""
        return max(self.desired_copies, self.current_copies)


class Scaler(Protocol):
    """Looks at an endpoint's capacity and moves it."""

    def look(self, name: str, kind: Kind, shared: str = "") -> Capacity:
        """`shared`: the machines that it shares, of which all instances are told."""

    def set_bounds(self, name: str, bounds: Bounds, kind: Kind) -> None: ...

    def set_copies(self, name: str, copies: int, kind: Kind) -> None: ...


class QueueReaders(Protocol):
    """How many dispatchers at a time an endpoint's queue may call, and whether its other one, of
    requests that may wait, is read at all."""

    def set(self, name: str, most: int) -> bool:
        """False: nothing reads its queue (yet, or any more)."""

    def read_later(self, name: str, wanted: bool) -> bool:
        """False: that cannot be changed now; the next look tries again."""


class ContainerLogs(Protocol):
    """What the containers of an endpoint say while they start."""

    def read(self, name: str, since: datetime, kind: Kind) -> list[LogLine]:
        """Lines from that time on, oldest first, bounded; none when nothing was said yet."""


class Flow(StrEnum):
    """The state machines that carry out a wish."""

    DEPLOY = "deploy_endpoint"
    WAKE = "wake_endpoint"
    SLEEP = "sleep_endpoint"
    RETIRE = "retire_endpoint"
    REMOVE = "remove_capacity"
    UPDATE = "update_endpoint"


class FlowState(StrEnum):
    """What became of an execution."""

    ABSENT = "absent"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class FlowReport:
    state: FlowState
    cause: str | None = None
    began_at: datetime | None = None  # None: there is none, or nobody said


class Flows(Protocol):
    """Starts and looks at executions, named `<endpoint>-<generation>`."""

    def start(self, flow: Flow, name: str, generation: int) -> None:
        """Idempotent: an execution of that name that exists already is success."""

    def look(self, flow: Flow, name: str, generation: int) -> FlowReport: ...

    def stop(self, flow: Flow, name: str, generation: int, why: str) -> None:
        """Ends an execution that was overtaken; one that is over already is success."""


class Announcer(Protocol):
    """Puts a typed event on the stack's bus. `event` is a model of `alerts.events`."""

    def announce(self, event: Any) -> None: ...

    def announce_all(self, events: Sequence[Any]) -> None: ...


@dataclass(frozen=True)
class Answer:
    """A model's assembled answer."""

    body: Any  # OpenAI's completion shape; of the container's own request, whatever it said
    input_tokens: int
    output_tokens: int


class ModelError(RuntimeError):
    """The model refused the request (4xx): trying again will not help."""


class NoCapacityError(RuntimeError):
    """There is no copy to answer."""


class BusyError(RuntimeError):
    """The model or the way to it takes nothing now: throttled, not ready, not reached."""


class NotAllowedError(RuntimeError):
    """The stack's role may not ask it: that says nothing of the request, and stays so until
    whoever deploys mends it."""


class ModelInvoker(Protocol):
    """Asks the model and assembles its streamed answer."""

    def ask(self, name: str, body: Mapping[str, Any], kind: Kind, shared: str = "") -> Answer:
        """Raises ModelError, NoCapacityError, BusyError, NotAllowedError; anything else is a
        failed try."""


class BodyError(RuntimeError):
    """There is no body where a message says; the message says why."""


class RequestBodies(Protocol):
    """Bodies too large for a message, in the results bucket under `requests/<endpoint>/`."""

    def get(self, endpoint: str, uri: str) -> bytes:
        """Raises BodyError for another place, for nothing there and for too much."""


class ExpiredError(RuntimeError):
    """The request waited too long in SageMaker's own queue: it may be asked again."""


class UnsureError(RuntimeError):
    """SageMaker said neither yes nor no: it may have the request."""


class LateModels(Protocol):
    """Asks a model that answers later, and looks for what came of it."""

    def look(self, name: str, request_id: str) -> Answer | None:
        """The answer; None: none yet. Raises ModelError or ExpiredError when it failed."""

    def ask(self, name: str, request_id: str, body: Mapping[str, Any]) -> None:
        """Hands the request over. Raises UnsureError when SageMaker may have it; after BusyError
        and every other error it has not."""

    def was_asked(self, name: str, request_id: str) -> bool:
        """Whether SageMaker took the request, and nothing was forgotten since."""

    def forget(self, name: str, request_id: str) -> None:
        """Removes what is left of a request that is over."""


class ReplyError(RuntimeError):
    """An answer could not be sent where its sender wanted it; says why, without the address."""


class Outlets(Protocol):
    """Queues and callbacks of the stack's allow-lists, to which answers are sent."""

    def problem(self, to: ReplyTo) -> str | None:
        """Why nothing may be sent there; None: it may."""

    def send(self, to: ReplyTo, endpoint: str, request_id: str, document: bytes) -> None:
        """Raises ReplyError."""


class ResultStore(Protocol):
    """Answers, kept until they expire. Keys are `<endpoint>/<request id>`."""

    def find(self, endpoint: str, request_id: str) -> str | None:
        """Where the answer lies (s3 URI); None without one. An error that was stored is none:
        a request that was refused may be sent again."""

    def put_once(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str | None:
        """Returns where it lies (s3 URI), unless an answer is there already: then None, and that
        one stays. An error gives way to whatever comes."""

    def get(self, endpoint: str, request_id: str) -> Mapping[str, Any] | None:
        """What is stored, an answer or an error; None: nothing."""


@dataclass(frozen=True)
class KeptAnswer:
    """A model's answer that was kept for the next request that is the same."""

    body: Mapping[str, Any]
    kept_at: datetime


class KeptAnswers(Protocol):
    """Answers of deterministic requests, by the digest of all that an answer depends on."""

    def find(self, endpoint: str, digest: str) -> KeptAnswer | None: ...

    def put(self, endpoint: str, digest: str, answer: KeptAnswer) -> bool:
        """Whether it was kept: one that is too large is not."""


class TenantLeases(Protocol):
    """What the tenants of an endpoint have at work, over all dispatchers."""

    def running(self, endpoint: str, now: datetime) -> dict[str, int]:
        """Leases by tenant."""

    def take(
        self,
        endpoint: str,
        tenant: str,
        wanted: Sequence[str],
        limits: Tenant | None,
        now: datetime,
        until: datetime,
    ) -> list[str]:
        """Those of `wanted` that hold a lease, and the first that the limits leave room for
        besides; each is leased until then."""

    def give_back(self, endpoint: str, tenant: str, lease: str) -> None:
        """Before its end; one that has ended is success."""


class Requests(Protocol):
    """What the dispatcher does with a message besides answering it."""

    def postpone(
        self, name: str, receipt_handle: str, delay: timedelta, later: bool = False
    ) -> None:
        """`later`: it is in the queue of requests that may wait."""

    def move(self, name: str, body: str, sent_at: datetime) -> bool:
        """Puts a request that may wait into the queue of those; False: the endpoint has none, or
        it does not take the message."""

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        """Puts the message into the dead-letter queue with its reason."""
