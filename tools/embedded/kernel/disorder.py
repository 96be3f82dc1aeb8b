"""Failures by rate: so many of all calls of the chosen services are answered wrongly, by a seed.

Which calls they are follows from the seed, the operation and the number of the call among those of
its operation; so a run meets the same failures however its threads interleave.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    """What may become of a call."""

    THROTTLED = "throttled"
    BROKEN = "internal error"
    UNANSWERED = "not carried out, no answer"
    LOST = "carried out, answer lost"


@dataclass(frozen=True)
class Words:
    """How a service says that it is asked too often, and that it is broken: (code, status)."""

    throttled: tuple[str, int] = ("ThrottlingException", 400)
    broken: tuple[str, int] = ("InternalFailure", 500)


# By the name under which requests are signed.
WORDS: Mapping[str, Words] = {
    "sagemaker": Words(),
    "application-autoscaling": Words(broken=("InternalServiceException", 500)),
    "sqs": Words(("RequestThrottled", 400)),
    "lambda": Words(("TooManyRequestsException", 429), ("ServiceException", 500)),
    "dynamodb": Words(broken=("InternalServerError", 500)),
    "monitoring": Words(("Throttling", 400), ("InternalServiceFault", 500)),
    "states": Words(),
    "events": Words(broken=("InternalException", 500)),
}
# What is no control plane: answers of models, functions at work, messages read for a mapping.
DATA_PLANE = frozenset(
    {
        "sagemaker:InvokeEndpoint",
        "sagemaker:InvokeEndpointWithResponseStream",
        "sagemaker:InvokeEndpointAsync",
        "lambda:Invoke",
    }
)
_KINDS = tuple(Trouble)


@dataclass
class Disorder:
    """`rate`: the share of calls that fails, from 0 to 1; only calls made by a role are hit."""

    rate: float
    seed: int
    services: frozenset[str] = frozenset(WORDS)
    spared: frozenset[str] = DATA_PLANE  # operations
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[tuple[str, Trouble]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate: {self.rate} is not a share from 0 to 1")
        if unknown := self.services - WORDS.keys():
            raise ValueError(f"services: {', '.join(sorted(unknown))} cannot be disturbed")

    def strike(self, service: str, operation: str) -> Trouble | None:
        """What becomes of the next call of an operation; `operation` is like sqs:CreateQueue."""
        if service not in self.services or operation in self.spared:
            return None
        with self._lock:
            number = self.calls[operation]
            self.calls[operation] += 1
            dice = random.Random(f"{self.seed}/{operation}/{number}")
            if dice.random() >= self.rate:
                return None
            trouble = dice.choice(_KINDS)
            self.failed[operation, trouble] += 1
            return trouble

    def failures_of(self, operation: str) -> int:
        return sum(count for (name, _), count in self.failed.items() if name == operation)

    def of_kind(self, trouble: Trouble) -> int:
        return sum(count for (_, kind), count in self.failed.items() if kind is trouble)

    @property
    def share(self) -> float:
        """Of all calls so far, those that failed."""
        return self.failed.total() / max(1, self.calls.total())


def words_of(service: str, trouble: Trouble) -> tuple[str, str, int]:
    """Code, message and status of an answer that says so."""
    words = WORDS[service]
    if trouble is Trouble.THROTTLED:
        return words.throttled[0], "Rate exceeded", words.throttled[1]
    return words.broken[0], "We encountered an internal error. Please try again.", words.broken[1]
