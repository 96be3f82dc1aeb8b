"""CloudFormation's API for reading stacks and deleting them (the Query protocol)."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from tools.embedded.kernel.engine import Engine, Stack

_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"


class CloudFormationService:
    """Answers DescribeStacks, ListStackResources and DeleteStack."""

    signing_names = ("cloudformation",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def handle(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs(request.get_data(as_text=True)).items()}
        action = form.get("Action", "")
        handler = {
            "DescribeStacks": self._describe,
            "ListStackResources": self._resources,
            "DeleteStack": self._delete,
        }.get(action)
        if handler is None:
            return _error("InvalidAction", f"the embedded account has no {action}")
        name = form.get("StackName", "").partition(":stack/")[2].partition("/")[0]
        name = name or form.get("StackName", "")
        if name and name not in self._engine.stacks:
            return _error("ValidationError", f"Stack with id {name} does not exist")
        return _reply(action, handler(name))

    def close(self) -> None:
        """Nothing runs."""

    def _describe(self, name: str) -> str:
        stacks = [self._engine.stacks[name]] if name else list(self._engine.stacks.values())
        return f"<Stacks>{''.join(_stack(stack) for stack in stacks)}</Stacks>"

    def _resources(self, name: str) -> str:
        stack = self._engine.stacks[name]
        members = "".join(
            _element("member", {
                "LogicalResourceId": logical,
                "PhysicalResourceId": stack.made[logical].physical_id,
                "ResourceType": stack.types[logical],
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": stack.created.isoformat(),
            })
            for logical in stack.order
        )  # fmt: skip
        return f"<StackResourceSummaries>{members}</StackResourceSummaries>"

    def _delete(self, name: str) -> str:
        self._engine.delete_in_background(name)
        return ""


def _stack(stack: Stack) -> str:
    outputs = "".join(
        _element("member", {"OutputKey": key, "OutputValue": value})
        for key, value in stack.outputs.items()
    )
    fields = {
        "StackName": stack.name,
        "StackId": stack.stack_id,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "CreationTime": stack.created.isoformat(),
    }
    inner = "".join(_element(key, value) for key, value in fields.items())
    return f"<member>{inner}<Outputs>{outputs}</Outputs></member>"


def _element(name: str, value: Any) -> str:
    inner = (
        "".join(_element(key, item) for key, item in value.items())
        if isinstance(value, dict)
        else escape(str(value))
    )
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
