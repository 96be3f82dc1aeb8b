"""The seams inside the embedded account: what its rooms need of one another.

Nothing here knows the autoscaler. The account runs any SAM application of this shape.
Times are simulated: epoch seconds as float, or timezone-aware UTC datetimes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from werkzeug.wrappers import Request, Response

ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "us-east-1"


class Clock(Protocol):
    """One clock for the whole account; may run faster than the wall, and may be moved forward."""

    @property
    def speed(self) -> float:
        """Simulated seconds per wall second."""

    def time(self) -> float:
        """Simulated seconds since the epoch."""

    def now(self) -> datetime:
        """Simulated time, timezone-aware UTC."""

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Waits for simulated seconds (follows changes of speed and jumps).

        Returns True when `stop` was set before the time was over.
        """


@dataclass(frozen=True)
class Invocation:
    """The outcome of one Lambda invocation."""

    request_id: str
    payload: bytes
    function_error: str | None = None  # "Handled" | "Unhandled"
    log_tail: str = ""


class Functions(Protocol):
    """Runs deployed Lambda functions."""

    def invoke(self, function: str, payload: bytes) -> Invocation:
        """Invokes synchronously by name or ARN. Raises LookupError for an unknown function,
        RuntimeError("TooManyRequestsException") when its concurrency is used up."""

    def invoke_async(self, function: str, payload: bytes) -> None:
        """Queues an asynchronous invocation: two retries, then on-failure destination or DLQ."""


class EventSink(Protocol):
    """Takes EventBridge events."""

    def put_event(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        bus: str = "default",
        resources: Sequence[str] = (),
    ) -> None: ...


class Rights(Protocol):
    """What a role may do with objects in S3; answers are refusals, None is yes."""

    def read(self, role_arn: str | None, uri: str) -> str | None: ...

    def write(self, role_arn: str | None, uri: str) -> str | None: ...


@dataclass(frozen=True)
class Datapoint:
    """One metric sample."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    time: float  # simulated epoch seconds
    unit: str = "None"


class MetricSink(Protocol):
    """Takes CloudWatch samples."""

    def put_metric(self, datapoint: Datapoint) -> None: ...


class Service(Protocol):
    """An AWS service that the account answers itself, in front of moto.

    Requests are routed by the service in the credential scope of their SigV4 signature.
    """

    signing_names: tuple[str, ...]

    def handle(self, request: Request) -> Response: ...

    def close(self) -> None: ...


@runtime_checkable
class FaultTaker(Protocol):
    """A service that answers the failures ordered of it itself, as in the middle of a stream."""

    @property
    def fired(self) -> Sequence[tuple[float, Fault]]: ...

    def inject(self, fault: Fault) -> None: ...


@dataclass(frozen=True)
class Fault:
    """A failure that a test orders; `times` counts down as it fires.

    operation: "sagemaker:InvokeEndpoint", "s3:PutObject" (the service as its requests are signed);
    error_code: e.g. "ThrottlingException".
    """

    operation: str
    error_code: str
    message: str = "injected"
    status: int = 400
    times: int = 1
    matching: Mapping[str, str] = field(default_factory=dict)  # top-level request members
