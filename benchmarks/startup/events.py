"""What each handler is called with first, and the environment that the template gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract.test_statemachines import template

ROOT = Path(__file__).parents[2]
# Of the others the sample is named as they are.
_SAMPLES = {
    "accept_command": "command",
    "answer_stack": "stack_answered",
    "dispatch_requests": "request",
    "reconcile": "tick",
    "report_costs": "report",
    "retire_stack": "stack_deleted",
    "sweep_account": "sweep",
}


_NUMBERS = ("SECONDS", "MINUTES", "CAP", "CONCURRENCY", "CONNECTIONS", "ALARMS", "SECRETS")
_AS_WRITTEN = {"FUNCTION_MEMORY_MB", "PYDANTIC_DISABLE_PLUGINS", "POWERTOOLS_LOG_LEVEL"}
_KNOWN = {
    "ALERT_CHANNEL": "slack",
    "DEFAULT_TIME_ZONE": "UTC",
    "FLOW_ARN_PREFIX": "arn:aws:states:us-east-1:123456789012:stateMachine:autoscaler-",
    "MODE": "act",
    "RECONCILE": "none",
    "STACK_NAME": "autoscaler",
    "TRACING": "Disabled",
}


def handlers() -> list[str]:
    """The folders of all handlers in Python; the gateway's is a server that runs before it."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def event_of(handler: str) -> str:
    """A real one of events/, as JSON."""
    return (ROOT / "events" / f"{_SAMPLES.get(handler, handler)}.json").read_text()


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
