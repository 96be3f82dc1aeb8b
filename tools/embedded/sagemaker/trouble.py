"""Models that fail by rate: so many of all invocations go wrong in some way, by a seed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tools.embedded.sagemaker.dataplane import SEVERED, model_error
from tools.embedded.shapes import ServiceError


class Failure(StrEnum):
    """What may become of an invocation."""

    THROTTLED = "throttled"
    UNAVAILABLE = "service unavailable"
    INTERNAL = "internal error"
    OVERLOADED = "container answers 429"
    CRASHED = "container answers 500"
    BROKEN = "stream breaks with an error"
    SEVERED = "stream breaks without a word"


_ERRORS: Mapping[Failure, Callable[[], ServiceError]] = {
    Failure.THROTTLED: lambda: ServiceError("ThrottlingException", "Rate exceeded", 400),
    Failure.UNAVAILABLE: lambda: ServiceError("ServiceUnavailable", "Try again later.", 503),
    Failure.INTERNAL: lambda: ServiceError("InternalFailure", "An internal error occurred.", 500),
    Failure.OVERLOADED: lambda: model_error("Model is overloaded", 429),
    Failure.CRASHED: lambda: model_error("Internal Server Error", 500),
    Failure.BROKEN: lambda: ServiceError("ModelStreamError", "The model's answer ended early."),
    Failure.SEVERED: lambda: ServiceError(SEVERED, "The connection is closed."),
}


@dataclass
class ModelTrouble:
    """`rate`: the share of invocations of one operation that fails, from 0 to 1."""

    rate: float
    seed: int
    operation: str = "InvokeEndpointWithResponseStream"
    calls: int = 0
    failed: Counter[Failure] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate: {self.rate} is not a share from 0 to 1")

    def check(self, operation: str) -> None:
        """Raises the error that strikes this call; its number alone decides."""
        if operation != self.operation:
            return
        with self._lock:
            number, self.calls = self.calls, self.calls + 1
            dice = random.Random(f"{self.seed}/{operation}/{number}")
            if dice.random() >= self.rate:
                return
            failure = dice.choice(tuple(Failure))
            self.failed[failure] += 1
        raise _ERRORS[failure]()
