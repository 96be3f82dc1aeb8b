"""SageMaker's refusals and reasons, in its words where they are known."""

from __future__ import annotations

from collections.abc import Container

from tools.embedded.shapes import ServiceError, invalid

NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. "
    "Please retry using a different ML instance type or after some time."
)
NO_ROOM = (
    "The endpoint does not have enough hardware resources to host the requested copies of the "
    "inference component: the maximum instance count is reached."
)


def no_weights(uri: str) -> str:
    return (
        f"Could not find model data at {uri}. Please ensure that the execution role has "
        "s3:GetObject permissions and that the object is located in this Region."
    )


def unhealthy(name: str, why: str) -> str:
    return (
        f"The container for inference component {name} did not pass the ping health check. "
        f"Please check CloudWatch logs for this inference component. ({why})"
    )


def too_slow(name: str, seconds: float) -> str:
    return f"Model data of {name} was not downloaded within {seconds:.0f} seconds."


def not_found(kind: str, arn: str) -> ServiceError:
    return invalid(f'Could not find {kind} "{arn}".')


def refuse_existing(store: Container[str], name: str, kind: str, arn: str) -> None:
    """Raises when the name is taken."""
    if name in store:
        raise invalid(f'Cannot create already existing {kind} "{arn}".')


def refuse_busy(status: str, verb: str, kind: str, arn: str) -> None:
    """Raises while something is being created, updated or deleted."""
    if status in ("Creating", "Updating", "RollingBack", "Deleting"):
        raise invalid(f'Cannot {verb} {kind} "{arn}" while it is in status {status}.')


def over_quota(instance_type: str, quota: int, used: int, more: int) -> ServiceError:
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{instance_type} for endpoint usage' is {quota} "
        f"Instances, with current utilization of {used} Instances and a request delta of {more} "
        "Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS "
        "Service Quotas is not available, contact AWS support to request an increase for this "
        "quota.",
    )
