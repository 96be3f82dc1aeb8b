"""CloudFormation's API for reading stacks and deleting them (the Query protocol)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from tools.embedded.kernel.engine import Engine
from tools.embedded.kernel.stack import Event, Stack

_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
_HIDDEN = "****"


class _RefusedError(Exception):
    """A request that cannot be answered."""


class CloudFormationService:
    """Answers for stacks: what there is, what happened, from which template; and deletes them.

    A deleted stack is found by its id alone, as in AWS.
    """

    signing_names = ("cloudformation",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._actions = {
            "DescribeStacks": self._describe,
            "DescribeStackEvents": self._events,
            "DescribeStackResource": self._resource,
            "DescribeStackResources": self._resources,
            "ListStackResources": self._resource_summaries,
            "ListStacks": self._summaries,
            "GetTemplate": self._template,
            "DeleteStack": self._delete,
        }

    def handle(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs(request.get_data(as_text=True)).items()}
        action = form.get("Action", "")
        if action not in self._actions:
            return _error("InvalidAction", f"the embedded account has no {action}")
        try:
            return _reply(action, self._actions[action](form))
        except _RefusedError as refused:
            return _error("ValidationError", str(refused))

    def close(self) -> None:
        """Nothing runs."""

    def _found(self, form: Mapping[str, str]) -> Stack:
        wanted = form.get("StackName", "")
        if not wanted:
            raise _RefusedError("StackName must be specified")
        for stack in self._engine.stacks.values():
            if stack.stack_id == wanted:
                return stack
            if stack.name == wanted and stack.status != "DELETE_COMPLETE":
                return stack
        raise _RefusedError(f"Stack with id {wanted} does not exist")

    def _describe(self, form: Mapping[str, str]) -> str:
        if "StackName" in form:
            stacks = [self._found(form)]
        else:
            stacks = [s for s in self._engine.stacks.values() if s.status != "DELETE_COMPLETE"]
        return _list("Stacks", map(_stack, stacks))

    def _summaries(self, form: Mapping[str, str]) -> str:
        wanted = {value for key, value in form.items() if key.startswith("StackStatusFilter.")}
        stacks = [s for s in self._engine.stacks.values() if not wanted or s.status in wanted]
        return _list("StackSummaries", map(_summary, stacks))

    def _events(self, form: Mapping[str, str]) -> str:
        stack = self._found(form)
        return _list("StackEvents", (_event(stack, event) for event in reversed(stack.events)))

    def _resource(self, form: Mapping[str, str]) -> str:
        stack, wanted = self._found(form), form.get("LogicalResourceId", "")
        for event in stack.latest():
            if event.logical_id == wanted:
                detail = _resource(stack, event, "LastUpdatedTimestamp")
                return _element("StackResourceDetail", detail)
        raise _RefusedError(f"Resource {wanted} does not exist for stack {stack.name}")

    def _resources(self, form: Mapping[str, str]) -> str:
        stack, wanted = self._found(form), form.get("LogicalResourceId")
        events = [e for e in stack.latest() if wanted in (None, e.logical_id)]
        return _list("StackResources", (_resource(stack, e, "Timestamp") for e in events))

    def _resource_summaries(self, form: Mapping[str, str]) -> str:
        found = self._found(form).latest()
        return _list("StackResourceSummaries", (_seen(e, "LastUpdatedTimestamp") for e in found))

    def _template(self, form: Mapping[str, str]) -> str:
        stack = self._found(form)
        processed = form.get("TemplateStage") == "Processed"
        body = json.dumps(stack.template, default=str) if processed else stack.body
        stages = _list("StagesAvailable", ("Original", "Processed"))
        return _element("TemplateBody", body) + stages

    def _delete(self, form: Mapping[str, str]) -> str:
        try:
            stack = self._found(form)
        except _RefusedError:
            return ""  # AWS says nothing of a stack that is not there
        if stack.status not in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            self._engine.delete_in_background(stack.name)
        return ""


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        **_named(stack),
        "Description": stack.template.get("Description", ""),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "CreationTime": stack.created.isoformat(),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": _shown(stack, key, value)}
            for key, value in stack.parameters.items()
        ],
        "Outputs": [
            {"OutputKey": key, "OutputValue": value, "Description": _described(stack, key)}
            for key, value in stack.outputs.items()
        ],
    }


def _summary(stack: Stack) -> dict[str, Any]:
    return {
        **_named(stack),
        "CreationTime": stack.created.isoformat(),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
    }


def _event(stack: Stack, event: Event) -> dict[str, Any]:
    return {"EventId": event.event_id, **_resource(stack, event, "Timestamp")}


def _resource(stack: Stack, event: Event, time_member: str) -> dict[str, Any]:
    return {**_named(stack), **_seen(event, time_member)}


def _seen(event: Event, time_member: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.kind,
        time_member: event.at.isoformat(),
        "ResourceStatus": event.status,
        **({"ResourceStatusReason": event.reason} if event.reason else {}),
    }


def _named(stack: Stack) -> dict[str, Any]:
    return {"StackId": stack.stack_id, "StackName": stack.name}


def _shown(stack: Stack, key: str, value: Any) -> str:
    """A parameter's value, unless the template keeps it hidden."""
    hidden = str(stack.template["Parameters"][key].get("NoEcho", "")).lower() == "true"
    shown = ",".join(value) if isinstance(value, list) else str(value)
    return _HIDDEN if hidden else shown


def _described(stack: Stack, output: str) -> str:
    return str(stack.template["Outputs"][output].get("Description", ""))


def _list(name: str, members: Iterable[Any]) -> str:
    return _element(name, list(members))


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(_element(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(_element("member", item) for item in value)
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def _reply(action: str, result: str) -> Response:
    body = (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )
    return Response(body, content_type="text/xml")


def _error(code: str, message: str) -> Response:
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return Response(body, status=400, content_type="text/xml")
