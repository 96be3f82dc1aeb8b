"""What kind of failure ended a start, read from SageMaker's and the flows' own words."""

from __future__ import annotations

import re

from ..policy.ladder import TryOutcome

_CAPACITY = re.compile(
    r"InsufficientInstanceCapacity|InsufficientCapacity|NoCapacity|ResourceLimitExceeded|"
    r"Unable to provision requested ML compute|no instance was seen|"
    r"maximum instance count|"  # shared machines are full
    r"account-level service limit|(in|n(o|')t (have )?)sufficient .{0,20}capacity",
    re.IGNORECASE,
)
_CONTAINER = re.compile(
    r"ContainerCrash|ping health check|container dies|CannotStartContainer", re.IGNORECASE
)


def outcome_of(failure: str) -> TryOutcome:
    """CAPACITY when there was no machine, CONTAINER when it died on one, else OTHER."""
    if _CONTAINER.search(failure):
        return TryOutcome.CONTAINER
    return TryOutcome.CAPACITY if _CAPACITY.search(failure) else TryOutcome.OTHER
