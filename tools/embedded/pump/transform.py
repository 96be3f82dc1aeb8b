"""What a rule's target is sent: the event, a part of it, or a template filled from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_ABSENT = object()
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]")


def json_path(path: str, document: Any) -> Any:
    """The value at a simple path ($.detail.items[0]); the _ABSENT marker when there is none."""
    value = document
    for name, index, quoted in _STEP.findall(path.removeprefix("$")):
        if index:
            if not isinstance(value, list) or int(index) >= len(value):
                return _ABSENT
            value = value[int(index)]
        elif isinstance(value, Mapping) and (name or quoted) in value:
            value = value[name or quoted]
        else:
            return _ABSENT
    return value


def target_payload(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str = "") -> str:
    """The JSON text that a rule's target receives for an event."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        value = json_path(target["InputPath"], event)
        return json.dumps(None if value is _ABSENT else value)
    transformer = target.get("InputTransformer")
    if transformer:
        return fill_template(transformer, event, rule_arn)
    return json.dumps(event)


def fill_template(transformer: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """Fills <variables>: as JSON where they stand bare, as text inside quotes."""
    values = {
        name: json_path(path, event)
        for name, path in (transformer.get("InputPathsMap") or {}).items()
    }
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.split("/")[-1],
        "aws.events.event.ingestion-time": event.get("time", ""),
        "aws.events.event": {k: v for k, v in event.items() if k != "detail"},
        "aws.events.event.json": event,
    }
    parts = re.split(r'("(?:[^"\\]|\\.)*")', str(transformer["InputTemplate"]))
    return "".join(_fill(part, values, quoted=part.startswith('"')) for part in parts)


def _fill(part: str, values: Mapping[str, Any], quoted: bool) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        value = values[found[1]]
        if not quoted:
            return json.dumps("" if value is _ABSENT else value)
        if value is _ABSENT:
            return ""
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1]

    return re.sub(r"<([\w.\-]+)>", replace, part)
