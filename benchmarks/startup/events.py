"""What each handler is called with first, and the environment that the template gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.contract.test_statemachines import template

ROOT = Path(__file__).parents[2]
NAME = "llama"
_COMMIT = "c" * 40
_STEP = {"endpoint": NAME, "generation": 1}
_SAMPLES = {
    "accept_command": "command",
    "dispatch_requests": "request",
    "notify": "notify",
    "reconcile": "tick",
    "refresh_prices": "refresh_prices",
    "report_costs": "report",
    "retire_stack": "stack_deleted",
    "sweep_account": "sweep",
}
_STEPS: Mapping[str, Any] = {
    "check_names": _STEP,
    "guard_sleep": _STEP,
    "look_at_start": _STEP,
    "plan_deployment": {**_STEP, "part": "whole"},
    "plan_wake": _STEP,
    "probe_endpoint": _STEP,
    "record_phase": {**_STEP, "step": "awake"},
    "remove_weights": _STEP,
}
# Their first request goes elsewhere (the Hub, CloudFormation), or only a longer event brings them
# to one: they are called with nothing, which they refuse.
_WITHOUT = frozenset({"answer_stack", "create_model", "plan_staging", "seal_staging", "stage_file"})


_NUMBERS = ("SECONDS", "MINUTES", "CAP", "CONCURRENCY", "CONNECTIONS", "ALARMS")
_AS_WRITTEN = {"FUNCTION_MEMORY_MB", "PYDANTIC_DISABLE_PLUGINS", "POWERTOOLS_LOG_LEVEL"}
_KNOWN = {
    "ALERT_CHANNEL": "slack",
    "DEFAULT_TIME_ZONE": "UTC",
    "FLOW_ARN_PREFIX": "arn:aws:states:us-east-1:123456789012:stateMachine:autoscaler-",
    "HF_ENDPOINT": "https://hub.example",
    "MODE": "act",
    "RECONCILE": "none",
    "STACK_NAME": "autoscaler",
}


def handlers() -> list[str]:
    """The folders of all handlers in Python; the gateway's is a server that runs before it."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def event_of(handler: str) -> str:
    """As JSON. KeyError for a handler that nobody has thought of here."""
    if handler in _SAMPLES:
        return (ROOT / "events" / f"{_SAMPLES[handler]}.json").read_text()
    return json.dumps({} if handler in _WITHOUT else _STEPS[handler])


def environment(handler: str) -> dict[str, str]:
    """Names as in the template; what its values refer to means nothing here."""
    given = _variables("Globals", "Function")
    pascal = "".join(part.capitalize() for part in handler.split("_"))
    given |= _variables("Resources", f"{pascal}Function", "Properties")
    filled = {name: "1" if name.endswith(_NUMBERS) else "x" for name in given}
    kept = {name: str(given[name]) for name in _AS_WRITTEN & given.keys()}
    return filled | kept | {name: text for name, text in _KNOWN.items() if name in given}


_TEMPLATE = template()


def _variables(*path: str) -> dict[str, Any]:
    found: Any = _TEMPLATE
    for part in path:
        found = found.get(part, {})
    return dict(found.get("Environment", {}).get("Variables", {}))
