"""Step Functions: its API, and its integrations with Lambda, itself and the SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.histories.clock import StillClock
from tests.histories.faults import RefusedError
from tests.histories.template import MACHINE, machines
from tests.histories.walker import Execution, Failure, Steps
from tests.histories.wire import Wire
from tools.embedded.kernel.state_errors import older_name
from tools.embedded.kernel.states import _ERROR_NAMES, _SERVICES, spelled

SDK = "arn:aws:states:::aws-sdk:"
_OLD_SDK = {"dynamodb": "DynamoDb"}


@dataclass(frozen=True)
class Invoked:
    """What a function answered; `error`: the class of what it raised."""

    payload: Any
    error: str = ""
    message: str = ""


Invoke = Callable[[str, Any], Invoked]


@dataclass
class StepFunctions:
    """`step` carries out one task of one execution; nothing moves by itself."""

    clock: StillClock
    wire: Wire
    invoke: Invoke
    client: Callable[[str], Any]
    executions: dict[str, Execution] = field(default_factory=dict)

    def now(self) -> float:
        return self.clock.time()

    def running(self) -> list[Execution]:
        return [one for one in self.executions.values() if one.running]

    def step(self, execution: Execution) -> None:
        with self.wire.acting(f"machine {execution.flow}"):
            execution.step()

    # The API

    def handle(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "StartExecution":
            return self._start(request["stateMachineArn"], request["name"], request["input"])
        execution = self.executions.get(request["executionArn"])
        if execution is None:
            raise RefusedError("ExecutionDoesNotExist", "Execution Does Not Exist")
        if operation == "StopExecution":
            if execution.running:
                execution.stop(request.get("error", ""), request.get("cause", ""))
            return {"stopDate": self.clock.now()}
        assert operation == "DescribeExecution", operation
        return {
            "executionArn": execution.arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": self.clock.now(),
            **({"error": execution.error} if execution.error else {}),
            **({"cause": execution.cause} if execution.cause else {}),
        }

    def _start(self, machine: str, name: str, given: str) -> dict[str, Any]:
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        there = self.executions.get(arn)
        if there is not None and not (there.running and there.input == json.loads(given)):
            raise RefusedError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        if there is None:
            self.executions[arn] = Execution(
                arn,
                name,
                machine.removeprefix(MACHINE),
                machines()[machine],
                json.loads(given),
                self.now(),
                self,
            )
        return {"executionArn": arn, "startDate": self.clock.now()}

    # The integrations

    def task(self, execution: Execution, resource: str, arguments: Any) -> Steps:
        if resource == "arn:aws:states:::lambda:invoke":
            return self._lambda(arguments)
        if resource == "arn:aws:states:::states:startExecution.sync:2":
            return (yield from self._nested(arguments))
        if resource.startswith(SDK):
            service, _, action = resource.removeprefix(SDK).partition(":")
            return self._sdk(service, action, arguments, sdk_error(service))
        if resource == "arn:aws:states:::dynamodb:getItem":
            return self._sdk("dynamodb", "getItem", arguments, _old_error("dynamodb"))
        raise NotImplementedError(resource)

    def _lambda(self, arguments: Any) -> Any:
        call = self.wire.call("lambda", "Invoke", arguments)
        try:
            done = self.wire.carry(
                call, lambda: self.invoke(arguments["FunctionName"], arguments["Payload"])
            )
        except RefusedError as refused:
            raise Failure(older_name("lambda", refused.code), _cause(refused, "Lambda")) from None
        except BotoCoreError as unanswered:
            raise Failure("Lambda.SdkClientException", str(unanswered)) from None
        if done.error:
            told = {"errorMessage": done.message, "errorType": done.error}
            raise Failure(done.error, json.dumps(told))
        return {"Payload": done.payload, "StatusCode": 200}

    def _nested(self, arguments: Any) -> Steps:
        machine, name = arguments["StateMachineArn"], arguments["Name"]
        call = self.wire.call("states", "StartExecution", arguments)
        try:
            started = self.wire.carry(
                call, lambda: self._start(machine, name, json.dumps(arguments["Input"]))
            )
        except RefusedError as refused:
            name = older_name("states", refused.code)
            raise Failure(name, _cause(refused, "AWSStepFunctions")) from None
        except BotoCoreError as unanswered:
            raise Failure("StepFunctions.SdkClientException", str(unanswered)) from None
        child = self.executions[started["executionArn"]]
        while child.running:
            yield max(child.due, self.now()) + 0.001
        if child.status != "SUCCEEDED":
            told = {"Error": child.error, "Cause": child.cause, "Status": child.status}
            raise Failure("States.TaskFailed", json.dumps(told))
        return {"Output": child.output, "Status": child.status, "ExecutionArn": child.arn}

    def _sdk(
        self, service: str, action: str, arguments: Any, named: Callable[[Any, str], str]
    ) -> Any:
        client = self.client(sdk_service(service))
        operation = action[:1].upper() + action[1:]
        shape = client.meta.service_model.operation_model(operation)
        method = next(m for m, o in client.meta.method_to_api_mapping.items() if o == operation)
        try:
            reply = getattr(client, method)(**_to_boto(arguments, shape.input_shape))
        except ClientError as refused:
            raise Failure(
                named(refused, refused.response["Error"]["Code"]), _sdk_cause(service, refused)
            ) from None
        except BotoCoreError as unanswered:
            raise Failure(f"{_prefix(service)}.SdkClientException", str(unanswered)) from None
        reply.pop("ResponseMetadata", None)
        return _from_boto(reply, shape.output_shape)


def _prefix(service: str) -> str:
    return _ERROR_NAMES.get(service) or _OLD_SDK[service]


def sdk_service(service: str) -> str:
    """botocore's name of a service of the aws-sdk integrations."""
    return _SERVICES.get(service, service)


def sdk_error(service: str) -> Callable[[Any, str], str]:
    """How Step Functions names an exception of a service: as Java's SDK does."""

    def named(error: Any, _code: str) -> str:
        kind = type(error).__name__
        name = _prefix(service) if kind == "ClientError" else kind
        return f"{_prefix(service)}.{name}" + ("" if name.endswith("Exception") else "Exception")

    return named


def _old_error(integration: str) -> Callable[[Any, str], str]:
    return lambda _error, code: older_name(integration, code)


def _sdk_cause(service: str, error: ClientError) -> str:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return (
        f"{error.response['Error']['Message']} (Service: {_prefix(service)}, "
        f"Status Code: {status}, Request ID: still)"
    )


def _cause(refused: RefusedError, service: str) -> str:
    return f"{refused.message} (Service: {service}; Status Code: {refused.status})"


def _to_boto(value: Any, shape: Any) -> Any:
    """Members as botocore names them; refuses one that Step Functions does not know."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        members = {spelled(name): name for name in shape.members}
        return {members[k]: _to_boto(v, shape.members[members[k]]) for k, v in value.items()}
    if shape.type_name == "list":
        return [_to_boto(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: _to_boto(item, shape.value) for key, item in value.items()}
    return value


def _from_boto(value: Any, shape: Any) -> Any:
    if shape is None or value is None:
        return value
    if shape.type_name == "structure":
        known = shape.members
        return {spelled(k): _from_boto(v, known[k]) for k, v in value.items() if k in known}
    if shape.type_name == "list":
        return [_from_boto(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: _from_boto(item, shape.value) for key, item in value.items()}
    return value.isoformat() if shape.type_name == "timestamp" else value
