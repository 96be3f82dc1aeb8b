"""How Step Functions names the errors of the services that it calls.

An `aws-sdk` integration has the names of the AWS SDK for Java 2: an error of the service's model
under its own name, always ending in Exception; every other one, throttles and refusals alike, under
the service's own (SageMaker.SageMakerException). The older integrations (lambda, dynamodb, states)
have the names of the SDK for Java 1. Whoever got no answer at all has an SdkClientException.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# Resource of the integration: (prefix, the service's own exception, botocore's service).
_OLDER = {
    "lambda": ("Lambda", "AWSLambdaException", "lambda"),
    "dynamodb": ("DynamoDB", "AmazonDynamoDBException", "dynamodb"),
    "states": ("StepFunctions", "AWSStepFunctionsException", "stepfunctions"),
}


def install() -> None:
    """Gives moto's interpreter these names; once."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_aws_sdk,
        state_task_service_dynamodb,
        state_task_service_lambda,
        state_task_service_sfn,
    )

    for module, kind in (
        (state_task_service_aws_sdk, "StateTaskServiceAwsSdk"),
        (state_task_service_dynamodb, "StateTaskServiceDynamoDB"),
        (state_task_service_lambda, "StateTaskServiceLambda"),
        (state_task_service_sfn, "StateTaskServiceSfn"),
    ):
        task = getattr(module, kind)
        task._from_error = _named(task._from_error)
    sfn = state_task_service_sfn.StateTaskServiceSfn
    sfn._build_sync2_resolver = _patient(sfn._build_sync2_resolver)


def older_name(integration: str, code: str) -> str:
    """The name of an error under an integration by its own name, such as states:startExecution."""
    prefix, own, service = _OLDER[integration]
    wanted = code if code.endswith("Exception") else f"{code}Exception"
    return f"{prefix}.{wanted if code in _modelled(service) else own}"


@cache
def _modelled(service: str) -> frozenset[str]:
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    return frozenset(shape.name for shape in model.error_shapes)


def _named(before: Any) -> Any:
    def from_error(task: Any, env: Any, ex: Exception) -> Any:
        integration = task.resource.service_name
        if isinstance(ex, BotoCoreError):
            return _failure(task, env, f"{_prefix(task)}.SdkClientException", str(ex))
        event = before(task, env=env, ex=ex)
        if isinstance(ex, ClientError) and integration in _OLDER:
            (details,) = event.event_details.values()
            name = older_name(integration, ex.response["Error"]["Code"])
            return _failure(task, env, name, details["cause"])
        return event

    return from_error


def _prefix(task: Any) -> str:
    if task.resource.service_name in _OLDER:
        return _OLDER[task.resource.service_name][0]
    return str(task._normalise_service_error_name(task.resource.api_name))


def _failure(task: Any, env: Any, name: str, cause: str) -> Any:
    from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
        CustomErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
    )
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    details = TaskFailedEventDetails(
        error=name,
        cause=cause,
        resource=task._get_sfn_resource(),
        resourceType=task._get_sfn_resource_type(),
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(name),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),
    )


def _patient(before: Any) -> Any:
    """Step Functions does its own waiting for a nested execution, by its own right and patience:
    it is no call of the machine's role, and nothing that happens to it fails the state."""

    def build(task: Any, **kwargs: Any) -> Any:
        return before(task, **{**kwargs, "state_credentials": None})

    return build
