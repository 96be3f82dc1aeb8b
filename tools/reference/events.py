"""docs/events.md, from the events' classes: what is on the stack's bus, with its fields."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.events.registry import EVENTS

_HEAD = """# Events

<!-- Made from the layer's `alerts/events` by `make reference`. -->

Everything that happens is an event on the stack's bus, which is named like the stack: `source`
is `autoscaler`, `detail-type` the event's name, and `detail` has the fields below. For rules of
your own:

```
aws events put-rule --event-bus-name autoscaler --name answers \\
  --event-pattern '{"source": ["autoscaler"], "detail-type": ["RequestAnswered", "RequestRefused"]}'
```

A rule of yours has to go before the stack can. EventBridge delivers at least once and in no order;
fields may be added, so pass over what you do not know. Dollars are texts with six decimals, times
ISO 8601 in UTC. What people are told of them, and how urgently, is in [alerts.md](alerts.md).

Every event has:

"""
_EVERY = {
    "endpoint": "its name; empty: it is about the whole stack",
    "generation": "of the endpoint's wish; 0: of none",
    "at": "when it happened",
    "team": "whose endpoint; may be empty",
    "stopped": "the kill switch while it is on: since when, by whom and why",
    "in_force": "holds and other overrides, as sentences that begin after the endpoint's name",
}
_PLAIN = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "date": "date",
    "date-time": "time",
}


def page() -> str:
    """The whole page."""
    common = Event.model_json_schema(mode="serialization")
    texts = {name: _type(schema) for name, schema in common["properties"].items()}
    every = [f"| `{name}` | {text} | {_EVERY[name]} |" for name, text in texts.items()]
    parts: dict[str, Mapping[str, Any]] = {}
    events = [_event(name, EVENTS[name], parts) for name in sorted(EVENTS)]
    nested = [f"| `{name}` | {_part(parts[name])} |" for name in sorted(parts)]
    return "\n".join(
        [
            f"{_HEAD}| field | type | what it is |\n|---|---|---|",
            *every,
            "\nAnd besides:\n\n| event | when | its own fields |\n|---|---|---|",
            *events,
            "\nParts of those:\n\n| part | its fields, or what it may be |\n|---|---|",
            *nested,
            "",
        ]
    )


def _event(name: str, event: type[Event], parts: dict[str, Mapping[str, Any]]) -> str:
    schema = event.model_json_schema(mode="serialization")
    parts.update(schema.get("$defs", {}))
    text = " ".join((event.__doc__ or "").replace("None:", "null:").split()).replace("|", "\\|")
    return f"| `{name}` | {text} | {_fields(schema, besides=_EVERY)} |"


def _part(schema: Mapping[str, Any]) -> str:
    return _fields(schema) if "properties" in schema else _type(schema)


def _fields(schema: Mapping[str, Any], besides: Container[str] = ()) -> str:
    shown = [
        f"`{name}` {_type(one)}"
        for name, one in schema["properties"].items()
        if name not in besides
    ]
    return "; ".join(shown)


def _type(schema: Mapping[str, Any]) -> str:
    """How a person would say it."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    return _PLAIN[schema.get("format", schema["type"])]
