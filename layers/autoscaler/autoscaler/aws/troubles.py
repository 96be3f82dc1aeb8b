"""AWS's errors by class, so that a state machine can tell what passes from what does not.

Step Functions sees of a function's error only the name of its class, and botocore calls a throttle
and a refusal alike ClientError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from .clients import error_code

P = ParamSpec("P")
T = TypeVar("T")
# The codes that botocore itself takes for "too often" (its standard retry mode).
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
# Why DynamoDB took back a transaction, by any of its items; botocore itself does not try again.
_CANCELED_BY_THROTTLE = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
_LIMITED = frozenset({"ResourceLimitExceeded", "ServiceQuotaExceededException"})


class ThrottledError(RuntimeError):
    """AWS was asked too often, and the client's own patience is at its end: it passes."""


class UnavailableError(RuntimeError):
    """AWS broke down or did not answer: it passes."""


class DeniedError(RuntimeError):
    """The role may not do this: it stays so until the template is mended."""


class LimitError(RuntimeError):
    """A quota is used up: it stays so until it is raised."""


class RefusedError(RuntimeError):
    """AWS refused the call as it is: it would refuse it again."""


def by_class(call: Callable[P, T]) -> Callable[P, T]:
    """Lets AWS's errors out under the classes above; every other one as it is."""

    @wraps(call)
    def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except ClientError as error:
            raise _kind(error)(str(error)) from error
        except (ConnectionError, HTTPClientError) as unanswered:
            raise UnavailableError(str(unanswered)) from unanswered

    return told


def _kind(error: Any) -> type[RuntimeError]:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reasons = {one.get("Code") for one in error.response.get("CancellationReasons", ())}
    if code in _THROTTLED or status == 429 or reasons & _CANCELED_BY_THROTTLE:
        return ThrottledError
    if code in DENIED:
        return DeniedError
    if code in _LIMITED:
        return LimitError
    # A model's own failure (424 in SageMaker's words) may pass like one of AWS's.
    return UnavailableError if status >= 500 or code == "ModelError" else RefusedError
