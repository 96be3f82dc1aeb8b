"""Sends a payload to whatever an ARN names."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from tools.embedded.pump.delivery import DeliveryError
from tools.embedded.pump.view import AccountView

PERMANENT = (
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
    "ValidationException",
    "AccessDenied",
    "AccessDeniedException",
    "InvalidName",
    "InvalidExecutionInput",
)


class Targets:
    """The targets that EventBridge rules, schedules, alarms and topics may name."""

    def __init__(self, account: AccountView) -> None:
        self._account = account
        self._senders: dict[str, Callable[[str, str, Mapping[str, Any]], None]] = {
            "lambda": self._to_function,
            "sqs": self._to_queue,
            "sns": self._to_topic,
            "states": self._to_state_machine,
            "logs": self._to_log_group,
            "events": self._to_bus,
            "scheduler": self._to_any_operation,
        }

    def send(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        """Delivers; `target` holds service parameters. Raises DeliveryError."""
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        sender = self._senders.get(service)
        if sender is None:
            raise DeliveryError("UNSUPPORTED_TARGET", f"no target of this kind: {arn}")
        try:
            sender(arn, payload, target)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise DeliveryError(code, str(error), retryable=code not in PERMANENT) from error
        except KeyError as error:
            raise DeliveryError("RESOURCE_NOT_FOUND", f"{arn}: no {error}") from error

    def bury(self, queue_arn: str, body: str, attributes: Mapping[str, str]) -> None:
        """Sends a dead letter with its explanation as message attributes."""
        self._queue_backend(queue_arn).send_message(
            queue_arn.split(":")[-1],
            body,
            message_attributes={
                name: {"DataType": "String", "StringValue": value[:1000]}
                for name, value in attributes.items()
            },
        )

    def _to_function(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        try:
            self._account.functions.invoke_async(arn, payload.encode())
        except LookupError as error:
            raise DeliveryError("RESOURCE_NOT_FOUND", f"{arn} does not exist") from error
        except RuntimeError as error:
            raise DeliveryError("THROTTLING", str(error), retryable=True) from error

    def _queue_backend(self, arn: str) -> Any:
        from moto.sqs.models import sqs_backends

        _, _, _, region, owner, name = arn.split(":", 5)
        backend = sqs_backends[owner][region]
        if name not in backend.queues:
            raise DeliveryError("RESOURCE_NOT_FOUND", f"{arn} does not exist")
        return backend

    def _to_queue(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        fifo = {"group_id": group, "validate_group_id": False} if group else {}
        self._queue_backend(arn).send_message(arn.split(":")[-1], payload, **fifo)

    def _to_topic(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        self._account.boto("sns").publish(TopicArn=arn, Message=payload)

    def _to_state_machine(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        self._account.boto("stepfunctions").start_execution(
            stateMachineArn=arn, name=str(uuid.uuid4()), input=payload
        )

    def _to_log_group(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        from moto.logs.models import logs_backends

        _, _, _, region, owner, rest = arn.split(":", 5)
        group = rest.removeprefix("log-group:").removesuffix(":*")
        backend = logs_backends[owner][region]
        if group not in backend.groups:
            raise DeliveryError("RESOURCE_NOT_FOUND", f"{arn} does not exist")
        stream = str(uuid.uuid4())
        backend.create_log_stream(group, stream)
        stamp = int(self._account.clock.time() * 1000)
        backend.groups[group].put_log_events(stream, [{"timestamp": stamp, "message": payload}])

    def _to_bus(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        """A schedule names source and type; a rule passes its event on to another bus."""
        parameters = target.get("EventBridgeParameters")
        if parameters:
            entry = {
                "Source": parameters["Source"],
                "DetailType": parameters["DetailType"],
                "Detail": payload,
            }
        else:
            event = json.loads(payload)
            entry = {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event.get("resources", []),
            }
        self._account.boto("events").put_events(Entries=[{**entry, "EventBusName": arn}])

    def _to_any_operation(self, arn: str, payload: str, target: Mapping[str, Any]) -> None:
        """Universal targets: arn:aws:scheduler:::aws-sdk:<service>:<action>."""
        service, action = arn.split("aws-sdk:", 1)[1].split(":")
        request = json.loads(payload or "{}")
        if (service, action) == ("lambda", "invoke"):
            body = request.get("Payload", "{}")
            text = body if isinstance(body, str) else json.dumps(body)
            self._to_function(request["FunctionName"], text, target)
            return
        client = self._account.boto({"sfn": "stepfunctions"}.get(service, service))
        operation = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", action).lower()
        getattr(client, operation)(**request)
