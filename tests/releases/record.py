"""Has a release write a table, and its state machines call its functions: what the next one must
be able to read and to answer.

The release runs from its archive in the embedded account. The table is kept as DynamoDB's items,
one a line; of the calls, the first event of each function with the same keys.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.embedded import stack as flows
from tests.embedded.stack import Stack, deployed, wait_for
from tests.releases.archive import HERE, unpacked
from tools.embedded.types import Invocation

TYPE = "ml.g6e.xlarge"
_PATIENCE_SECONDS = 900  # a record is made once, on whatever machine
PATIENT = {"max_copies": 2, "keep_alive": "6h"}
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
WINDOW = {
    "time_zone": "Europe/Berlin",
    "windows": [
        {
            "name": "peak",
            "days": ["mon", "tue", "wed", "thu", "fri"],
            "start": "08:00",
            "end": "18:00",
            "min_copies": 1,
            "max_copies": 2,
        }
    ],
}


class Calls:
    """What a release's functions were given and took."""

    def __init__(self, stack: Stack) -> None:
        self.kept: dict[tuple[str, Any], dict[str, Any]] = {}
        self._runtime = stack.account.runtime
        self._invoke, self._runtime.invoke = self._runtime.invoke, self._recorded

    def _recorded(self, function: str, payload: bytes) -> Invocation:
        done = self._invoke(function, payload)
        event = json.loads(payload or b"{}")
        if isinstance(event, dict) and done.function_error is None:
            name = self._runtime.find(function).name.removeprefix("autoscaler-")
            self.kept.setdefault((name, _keys(event)), {"function": name, "event": event})
        return done


def _keys(event: Mapping[str, Any]) -> Any:
    told = {key: event[key] for key in ("step", "what", "command") if key in event}
    return json.dumps([sorted(event), told], sort_keys=True)


def table_file(tag: str) -> Path:
    return HERE / f"{tag}.table.jsonl"


def calls_file(tag: str) -> Path:
    return HERE / f"{tag}.calls.jsonl"


def record(tag: str) -> None:
    """Runs the release and writes both files."""
    flows.PATIENCE_SECONDS = _PATIENCE_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        place = unpacked(Path(folder) / "release", tag)
        with deployed(Path(folder) / "account", template=place / "template.yaml") as stack:
            calls = Calls(stack)
            _live(stack)
            _moving(stack)
            wait_for(lambda: {name for name, _ in calls.kept}, {"plan-wake"}.issubset, "a wake")
            items = _items(stack)
    table_file(tag).write_text("".join(f"{json.dumps(i, sort_keys=True)}\n" for i in items))
    ordered = [calls.kept[key] for key in sorted(calls.kept)]
    calls_file(tag).write_text("".join(f"{json.dumps(c, sort_keys=True)}\n" for c in ordered))


def _items(stack: Stack) -> list[dict[str, Any]]:
    dynamodb = stack.account.boto("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    items = [item for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def _live(stack: Stack) -> None:
    """Endpoints in several phases, with all that may be stored of them."""
    command, account = stack.command, stack.account
    command("budget_set", changes={"monthly_usd": "5000"}, author="ada")
    account.sagemaker.break_container("autoscaler-failed", "CUDA error: out of memory")
    for name in ("awake", "waking", "gone", "failed"):
        assert stack.apply(name, team="research", schedule=WINDOW, scaling=PATIENT)["ok"]
    assert stack.apply("asleep", kind="async", scaling=PATIENT)["ok"]
    for name in ("awake", "waking", "asleep", "gone"):
        stack.until(name, "AWAKE")
    command("sleep", endpoint="awake", author="ada")
    stack.until("awake", "ASLEEP")
    stack.ask("awake", {"id": "cold", **QUESTION})
    stack.until("awake", "AWAKE")
    command("hold", endpoint="awake", seconds=86400, min_copies=1, reason="demo", author="ada")
    command(
        "override", endpoint="awake", kind="pause_scale_in", seconds=86400, reason="x", author="ada"
    )
    for number in range(2):
        stack.ask("awake", {"id": f"awake-{number}", **QUESTION})
        stack.result("awake", f"awake-{number}")
        account.clock.jump(200)
    command("delete", endpoint="gone", author="ada")
    command("stop", endpoint="asleep", reason="a leaked key", author="ada")
    command("sleep", endpoint="waking", author="ada")
    stack.until("gone", None)
    stack.until("asleep", "ASLEEP")
    stack.until("waking", "ASLEEP")
    stack.until("failed", "FAILED")


def _moving(stack: Stack) -> None:
    """What is under way when the table is read: a wake without capacity, and an update."""
    stack.account.sagemaker.set_capacity(TYPE, 1)  # which is taken
    stack.ask("waking", {"id": "wakes", **QUESTION})
    stack.until("waking", "WAKING")
    changed = {"serving": {"context_tokens": 4096}, "schedule": WINDOW, "scaling": PATIENT}
    assert stack.apply("awake", team="research", **changed)["ok"]
    stack.until("awake", "UPDATING")
    time.sleep(3)
