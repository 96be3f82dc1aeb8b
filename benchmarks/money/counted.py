"""What AWS would bill of the controller's work, counted while the embedded account does it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any

from tests.embedded.stack import Stack
from tools.embedded.kernel.traffic import Call

TICKS = "ticks"
_KIB = 1024
_GB = 1024**3
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}
_READS = {"GetItem": 1, "Query": 1, "Scan": 1}
# Of the free ones (control planes of SageMaker, Lambda, Step Functions, scaling) nothing is kept.


class Counts:
    """Sums by the fields of `ledger.controller.ControllerUsage`, from when it was made."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._lock = stack, threading.Lock()
        self._memory_gb = _memory(stack)
        self.sums: Counter[str] = Counter()
        stack.account.front.traffic.on_call.append(self._called)
        stack.account.runtime.on_invocation.append(self._invoked)
        stack.account.pump.on_line.append(self._logged)

    @contextmanager
    def of(self) -> Iterator[Counter[str]]:
        """What is counted while it is open."""
        found: Counter[str] = Counter()
        with self._lock:
            before = Counter(self.sums)
        yield found
        with self._lock:
            found.update({name: n - before[name] for name, n in self.sums.items()})

    def _invoked(self, function: str, milliseconds: float, _failed: bool) -> None:
        with self._lock:
            self.sums[TICKS] += function == "autoscaler-reconcile"
            self.sums["lambda_requests"] += 1
            self.sums["lambda_gb_seconds"] += self._memory_gb[function] * milliseconds / 1000

    def _logged(self, line: str) -> None:
        with self._lock:
            self.sums["log_gb"] += len(line.encode()) / _GB

    def _is_command(self, call: Call) -> bool:
        session = self._stack.account.iam.session_of(call.caller)
        return session is not None and "accept-command" in session[1]

    def _called(self, call: Call) -> None:
        if not call.by_role:
            return
        service, _, operation = call.operation.partition(":")
        found: dict[str, float] = {}
        if service == "dynamodb" and operation in _WRITES:
            found["table_writes"] = _write_units(operation, json.loads(call.body))
        elif service == "dynamodb" and operation in _READS:
            found["table_reads"] = _READS[operation]
        elif service == "sqs":
            found["queue_requests"] = 1
        elif service in ("monitoring", "cloudwatch") and operation == "GetMetricData":
            # What a person asks by a command, as the benchmark does, is no part of the month.
            found["metrics_read"] = 0 if self._is_command(call) else _metrics(call.body)
        elif service == "events" and operation == "PutEvents":
            found["bus_events"] = len(json.loads(call.body)["Entries"])
        with self._lock:
            self.sums.update(found)


def _write_units(operation: str, body: Mapping[str, Any]) -> int:
    """A unit for each KiB begun of an item, twice that in a transaction. What an update or a
    deletion finds is not in its call: it counts as what the call says of it."""
    if operation == "TransactWriteItems":
        writes = [one for item in body["TransactItems"] for one in item.values()]
        return sum(2 * _units(one) for one in writes)
    return _units(body)


def _units(write: Mapping[str, Any]) -> int:
    item = write.get("Item") or {
        **write.get("Key", {}), **write.get("ExpressionAttributeValues", {})
    }  # fmt: skip
    return max(1, ceil(sum(len(name) + _bytes(value) for name, value in item.items()) / _KIB))


def _bytes(value: Mapping[str, Any]) -> int:
    """Of an attribute: strings in UTF-8, two digits of a number a byte, as DynamoDB's "Item sizes
    and formats" says; a nested one three bytes more."""
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "N":
            return ceil(len(inner) / 2) + 1
        case "L":
            return 3 + sum(_bytes(one) + 1 for one in inner)
        case "M":
            return 3 + sum(len(name) + _bytes(one) + 1 for name, one in inner.items())
    return len(json.dumps(inner))


def _metrics(body: bytes) -> int:
    """Metrics that were asked for: up to five statistics of one are billed as one."""
    queries = json.loads(body)["MetricDataQueries"]
    asked = [one["MetricStat"]["Metric"] for one in queries if "MetricStat" in one]
    return len({json.dumps(metric, sort_keys=True) for metric in asked})


def _memory(stack: Stack) -> Mapping[str, float]:
    functions = stack.account.boto("lambda").list_functions()["Functions"]
    return {one["FunctionName"]: one["MemorySize"] / 1024 for one in functions}


def alarms(stack: Stack) -> Counter[str]:
    """Alarms that are there, by the field under which they are paid for."""
    pages = stack.account.boto("cloudwatch").get_paginator("describe_alarms").paginate()
    periods = [alarm.get("Period", 60) for page in pages for alarm in page["MetricAlarms"]]
    fine = sum(period < 60 for period in periods)
    return Counter(high_resolution_alarms=fine, alarms=len(periods) - fine)
