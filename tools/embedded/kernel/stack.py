"""A stack: its template, its parameters, what was made for it, and what happened to it."""

from __future__ import annotations

import os
import pickle
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from tools.embedded.kernel.intrinsics import TemplateError
from tools.embedded.kernel.resources import Made

STACK_TYPE = "AWS::CloudFormation::Stack"
_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource, or to the stack itself."""

    at: datetime
    logical_id: str
    physical_id: str
    kind: str
    status: str
    reason: str = ""
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Stack:
    """A deployed stack and what was made for it, in the order in which it was made."""

    name: str
    stack_id: str
    body: str  # the template as it was given
    template: dict[str, Any]
    folder: Path
    parameters: dict[str, Any]
    created: datetime
    status: str = "CREATE_IN_PROGRESS"
    reason: str = ""
    made: dict[str, Made] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)  # properties as they were resolved
    order: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)  # oldest first

    def becomes(self, status: str, at: datetime, reason: str = "") -> None:
        """Notes the stack's own status."""
        self.status, self.reason = status, reason
        self.events.append(Event(at, self.name, self.stack_id, STACK_TYPE, status, reason))

    def notes(self, logical: str, status: str, at: datetime, reason: str = "") -> None:
        """Notes what happened to a resource."""
        made = self.made.get(logical)
        kind = self.template["Resources"][logical]["Type"]
        self.events.append(
            Event(at, logical, made.physical_id if made else "", kind, status, reason)
        )

    def latest(self) -> list[Event]:
        """The newest event of each resource, in the order in which they were begun."""
        found = {event.logical_id: event for event in self.events if event.kind != STACK_TYPE}
        return list(found.values())


def is_kept(resource: Mapping[str, Any]) -> bool:
    """Whether a resource stays when its stack, or only the resource, is deleted."""
    return resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")


def load(path: Path, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The template after the SAM transform; code stays a local path, definitions are inlined.

    `parameters`: those whose values the transform looks at, as a function's tracing.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = _document(path.read_text())
    for logical, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if place := _CODE.get(resource["Type"]):
            properties[place] = {"Bucket": "local", "Key": properties[place]}
        elif resource["Type"] == "AWS::Serverless::StateMachine" and "DefinitionUri" in properties:
            file = path.parent / properties.pop("DefinitionUri")
            if not file.exists():
                raise TemplateError(f"{logical}: {file} does not exist")
            properties["Definition"] = _document(file.read_text())
    return pickle.loads(_transformed(pickle.dumps((template, dict(parameters or {})))))


@lru_cache(maxsize=8)
def _transformed(template_and_parameters: bytes) -> bytes:
    """After the SAM transform, which takes a second: a process deploys the same template often."""
    from samtranslator.translator.transform import transform

    return pickle.dumps(transform(*pickle.loads(template_and_parameters), _NoManagedPolicies()))


def _document(text: str) -> Any:
    """What a file of YAML says, the caller's own to change."""
    return pickle.loads(_read(text))


@lru_cache(maxsize=32)
def _read(text: str) -> bytes:
    """By libyaml, and once: a stack has eleven files, long ones."""
    return pickle.dumps(yaml.load(text, _loader()))


@cache
def _loader() -> Any:
    """With the short forms of CloudFormation's functions, as the SAM transform reads them."""
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    loader = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_multi_constructor("!", intrinsics_multi_constructor)
    return loader


class _NoManagedPolicies:
    """Roles here are written out; the names of AWS's managed policies are not needed."""

    def load(self) -> dict[str, str]:
        return {}


def checked_parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their defaults; raises TemplateError naming the wrong one."""
    known = template.get("Parameters", {})
    for name in given:
        if name not in known:
            raise TemplateError(f"parameter {name}: unknown; there are {', '.join(sorted(known))}")
    return {name: _parameter(name, spec, given.get(name)) for name, spec in known.items()}


def as_given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Checked parameters, as they can be given again."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in parameters.items()
    }


def _parameter(name: str, spec: Mapping[str, Any], given: Any) -> Any:
    value = spec.get("Default") if given is None else given
    if value is None:
        raise TemplateError(f"parameter {name}: a value is needed: {spec.get('Description', '')}")
    if spec.get("Type") == "CommaDelimitedList":
        return [_checked(name, spec, one.strip()) for one in str(value).split(",")]
    return _checked(name, spec, value)


def _checked(name: str, spec: Mapping[str, Any], value: Any) -> Any:
    pattern = spec.get("AllowedPattern")
    if pattern and not re.search(pattern, str(value)):
        raise TemplateError(f"parameter {name}: {value!r} does not match {pattern}")
    allowed = spec.get("AllowedValues")
    if allowed and str(value) not in map(str, allowed):
        raise TemplateError(f"parameter {name}: {value!r} is none of {allowed}")
    return value
