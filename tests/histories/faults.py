"""What may become of a call to AWS, and the words in which each service says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tools.embedded.kernel.disorder import WORDS, Words


class Fault(StrEnum):
    """Errors are what is left when the client's own retries are used up."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    THROTTLED = "throttled"
    BROKEN = "internal error"
    UNANSWERED = "not carried out, no answer"
    LOST = "carried out, answer lost"
    TWICE = "answer lost, and carried out again by the client"
    DENIED = "denied"
    EXISTS = "already exists"
    BUSY = "in progress"
    NOT_FOUND = "not found"


KILLS = frozenset({Fault.KILLED_BEFORE, Fault.KILLED_AFTER})
CARRIED_OUT = frozenset({Fault.KILLED_AFTER, Fault.LOST, Fault.TWICE})


class Killed(BaseException):
    """The process ended here; nothing in it can catch that and go on."""


class RefusedError(Exception):
    """A service's error answer."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status

    @property
    def error(self) -> dict[str, str]:
        """As botocore reads it, by which it finds the class of the exception too."""
        modelled = _MODELLED.get(self.code)
        named = {"QueryErrorCode": modelled} if modelled else {}
        return {"Code": self.code, "Message": self.message, **named}


@dataclass(frozen=True)
class Call:
    """One call of one actor."""

    service: str  # as its requests are signed
    operation: str
    actor: str
    request: dict[str, Any] = field(compare=False, hash=False)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


# SQS says two names: the code of its former protocol, and what its model calls the error, by which
# Step Functions goes.
_MODELLED = {
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
    "QueueAlreadyExists": "QueueNameExists",
}
_WRITES = ("Create", "Put", "Start", "Register", "Update", "Transact", "Delete", "Set", "Change")
_READS_ITEMS = ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
_EXISTS = {
    "sagemaker": ("ValidationException", 'Cannot create already existing "it".', 400),
    "dynamodb": ("ConditionalCheckFailedException", "The conditional request failed", 400),
    "states": ("ExecutionAlreadyExists", "Execution Already Exists", 400),
    "s3": ("PreconditionFailed", "At least one of the pre-conditions did not hold", 412),
    "lambda": ("ResourceConflictException", "The resource already exists.", 409),
    "sqs": ("QueueAlreadyExists", "A queue already exists with the same name", 400),
    "logs": ("ResourceAlreadyExistsException", "The specified log group already exists", 400),
    "application-autoscaling": ("ConcurrentUpdateException", "It is being updated", 400),
}
_BUSY = {
    "sagemaker": ("ValidationException", "Cannot update in-progress it.", 400),
    "dynamodb": ("TransactionInProgressException", "Another one is in progress", 400),
    "application-autoscaling": ("ConcurrentUpdateException", "It is being updated", 400),
    "lambda": ("ResourceInUseException", "The event source mapping is in use", 400),
    "logs": ("OperationAbortedException", "Another operation is in progress", 400),
}
_NOT_FOUND = {
    "sagemaker": ("ValidationException", 'Could not find it "here".', 400),
    "states": ("ExecutionDoesNotExist", "Execution Does Not Exist", 400),
    "s3": ("NoSuchKey", "The specified key does not exist.", 404),
    "lambda": ("ResourceNotFoundException", "The resource you requested does not exist.", 404),
    "sqs": ("AWS.SimpleQueueService.NonExistentQueue", "The queue does not exist.", 400),
    "logs": ("ResourceNotFoundException", "The specified log group does not exist.", 400),
    "application-autoscaling": ("ObjectNotFoundException", "No scalable target found", 400),
    "monitoring": ("ResourceNotFound", "Unknown", 404),
}
_DENIED = {
    "s3": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "monitoring": ("AccessDenied", 403),
}
# Operations to which a service can answer so; elsewhere it would be no answer of AWS's.
_CAN_EXIST = ("Create", "Start", "Register", "PutItem", "UpdateItem", "PutObject")
_CAN_BE_BUSY = ("Create", "Update", "Delete", "Register", "Deregister", "PutScaling", "Transact")
_CANNOT_BE_MISSED = ("Create", "PutMetric", "GetMetric", "ListInference", "ListEvent", "ListTags")


def words(fault: Fault, call: Call) -> RefusedError | None:
    """The error answer; None where that service has none of the kind for this operation."""
    service, operation = call.service, call.operation
    plain = WORDS.get(service, Words())
    if fault is Fault.THROTTLED:
        return RefusedError(plain.throttled[0], "Rate exceeded", plain.throttled[1])
    if fault is Fault.BROKEN:
        return RefusedError(plain.broken[0], "We encountered an internal error.", plain.broken[1])
    if fault is Fault.DENIED:
        who = f"User: {call.actor} is not authorized to perform: {call.name}"
        code, status = _DENIED.get(service, ("AccessDeniedException", 400))
        return RefusedError(code, who, status)
    table, may = {
        Fault.EXISTS: (_EXISTS, operation.startswith(_CAN_EXIST)),
        Fault.BUSY: (_BUSY, operation.startswith(_CAN_BE_BUSY)),
        Fault.NOT_FOUND: (_NOT_FOUND, not operation.startswith(_CANNOT_BE_MISSED)),
    }[fault]
    said = table.get(service)
    return RefusedError(*said) if said and may else None


def applies(fault: Fault, call: Call) -> bool:
    """Whether that can become of a call of this service and operation."""
    if fault in (Fault.DENIED, Fault.EXISTS, Fault.BUSY, Fault.NOT_FOUND):
        return words(fault, call) is not None
    if fault is Fault.TWICE:  # a client repeats what has no answer, but for a model's
        return not call.operation.startswith("InvokeEndpoint")
    return True
