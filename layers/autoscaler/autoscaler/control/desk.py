"""What the dispatcher works with and what becomes of a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..ports import (
    Answer,
    KeptAnswers,
    LateModels,
    ModelInvoker,
    Outlets,
    RequestBodies,
    Requests,
    ResultStore,
    TenantLeases,
)
from .messages import Message
from .world import World

if TYPE_CHECKING:  # a dispatcher's first message waits for what is imported
    from ..alerts.notify import SeenStore


@dataclass(frozen=True)
class Desk:
    """The world and what the dispatcher needs besides. `asked` holds what was asked for lately;
    `late` asks the models that answer later; `kept` has answers for requests that come again;
    `outlets` are queues and callbacks to which answers are sent."""

    world: World
    models: ModelInvoker
    results: ResultStore
    requests: Requests
    asked: SeenStore
    late: LateModels
    kept: KeptAnswers
    bodies: RequestBodies
    outlets: Outlets
    tenants: TenantLeases


class Code(StrEnum):
    """Why a request was refused, for whoever reads its result."""

    BAD_REQUEST = "bad_request"  # no model could answer it
    EXPIRED = "expired"  # its deadline passed before it was answered
    REFUSED_BY_MODEL = "refused_by_model"  # 4xx: it would refuse it again
    GAVE_UP = "gave_up"  # the model failed on it again and again
    WAITED_TOO_LONG = "waited_too_long"  # longer than a queue keeps a message
    GONE = "gone"  # its endpoint is removed


class Fate(StrEnum):
    """What became of one message."""

    ANSWERED = "answered"
    REPEATED = "repeated"  # the answer was stored before; it is announced once more
    REFUSED = "refused"  # in the dead-letter queue, with its reason
    POSTPONED = "postponed"  # back in the queue
    MOVED = "moved"  # into the queue of requests that may wait
    TROUBLED = "troubled"  # AWS refused something; back in the queue


@dataclass(frozen=True)
class Outcome:
    message: Message
    fate: Fate
    event: Any = None
    answer: Answer | None = None
    answered_by: str = ""  # the endpoint; empty: the one that was asked
    waited_seconds: float = 0.0
    kept: bool = False  # answered by what was kept, not by a model
    trouble: Exception | None = None


@dataclass
class Dispatched:
    """What became of a batch: which messages stay, and what AWS refused."""

    stay: list[str] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    all_troubled: bool = False
    waited_seconds: list[float] = field(default_factory=list)  # of those that were answered
