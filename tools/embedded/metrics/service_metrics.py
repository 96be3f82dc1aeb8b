"""Metrics that AWS services publish by themselves: queues, functions and their logs, buckets,
rules, state machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Not inside a function: the interpreter takes a second to import, and the clock does not wait.
from moto.stepfunctions.models import stepfunctions_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tools.embedded.metrics.samples import Sample
from tools.embedded.metrics.store import MetricsStore, SeriesKey
from tools.embedded.pump.view import AccountView

# How Step Functions calls the end of an execution, by moto's status.
EXECUTION_METRICS = {
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
    "SUCCEEDED": "ExecutionsSucceeded",
}


_DAY = 86_400.0


class ServiceMetrics:
    """Publishes once a simulated minute, stamped with the minute that has just ended."""

    def __init__(
        self, account: AccountView, store: MetricsStore, take_sent: Callable[[], Mapping[str, int]]
    ) -> None:
        self._account = account
        self._store = store
        self._take_sent = take_sent
        self._ended: set[str] = set()

    def invoked(
        self, function_name: str, duration_ms: float, failed: bool = False, throttled: bool = False
    ) -> None:
        """A hook for whoever runs functions: one invocation, or one throttle."""
        now = self._account.clock.time()
        if throttled:
            self._function(function_name, "Throttles", now, 1.0, "Count")
            return
        self._function(function_name, "Invocations", now, 1.0, "Count")
        self._function(function_name, "Errors", now, float(failed), "Count")
        self._function(function_name, "Duration", now, duration_ms, "Milliseconds")

    def _function(self, name: str, metric: str, now: float, value: float, unit: str) -> None:
        sample = Sample.of(now, value, unit=unit)
        self._store.add(SeriesKey.of("AWS/Lambda", metric, {"FunctionName": name}), sample)
        self._store.add(SeriesKey.of("AWS/Lambda", metric, {}), sample)

    def logged(self, function_name: str, line: str) -> None:
        """A hook for whoever keeps logs: one line of a function's."""
        under = {"LogGroupName": f"/aws/lambda/{function_name}"}
        sample = Sample.of(self._account.clock.time(), float(len(line.encode())), unit="Bytes")
        self._store.add(SeriesKey.of("AWS/Logs", "IncomingBytes", under), sample)

    def count(self, namespace: str, metric: str, dimension: str, value: str) -> None:
        """One more of something, at this moment."""
        key = SeriesKey.of(namespace, metric, {dimension: value})
        self._store.add(key, Sample.of(self._account.clock.time(), 1.0, unit="Count"))

    def publish(self, minute: float) -> None:
        """Publishes what stands at the end of the minute that began at `minute`."""
        self._queues(minute)
        self._executions(minute)
        if minute % _DAY == 0:
            self._buckets(minute)

    def _buckets(self, midnight: float) -> None:
        """S3 tells once a day how much a bucket holds, of midnight."""
        from moto.s3.models import s3_backends

        buckets = s3_backends[self._account.account_id]["aws"].buckets
        for name, bucket in list(buckets.items()):
            held = sum(key.size for key in list(bucket.keys.values()))
            under = {"BucketName": name, "StorageType": "StandardStorage"}
            key = SeriesKey.of("AWS/S3", "BucketSizeBytes", under)
            self._store.add(key, Sample.of(midnight, float(held), unit="Bytes"))

    def _queues(self, minute: float) -> None:
        from moto.sqs.models import sqs_backends

        now = self._account.clock.time() * 1000
        sent = self._take_sent()
        backend = sqs_backends[self._account.account_id][self._account.region]
        for name, queue in list(backend.queues.items()):
            with queue._messages_lock:
                messages = list(queue._messages)
            delayed = [m for m in messages if m.delayed_until > now]
            hidden = [m for m in messages if m.visible_at > now]
            oldest = min((m.sent_timestamp or now for m in messages), default=now)
            values = {
                "ApproximateNumberOfMessagesVisible": (
                    len(messages) - len(hidden) - len(delayed),
                    "Count",
                ),
                "ApproximateNumberOfMessagesNotVisible": (len(hidden), "Count"),
                "ApproximateNumberOfMessagesDelayed": (len(delayed), "Count"),
                "ApproximateAgeOfOldestMessage": (max(0.0, (now - oldest) / 1000), "Seconds"),
                "NumberOfMessagesSent": (sent.get(name, 0), "Count"),
            }
            for metric, (value, unit) in values.items():
                key = SeriesKey.of("AWS/SQS", metric, {"QueueName": name})
                self._store.add(key, Sample.of(minute, float(value), unit=unit))

    def _executions(self, minute: float) -> None:
        for arn, machine_arn, status in self._finished():
            if arn in self._ended or status not in EXECUTION_METRICS:
                continue
            self._ended.add(arn)
            key = SeriesKey.of(
                "AWS/States", EXECUTION_METRICS[status], {"StateMachineArn": machine_arn}
            )
            self._store.add(key, Sample.of(minute, 1.0, unit="Count"))

    def _finished(self) -> list[tuple[str, str, str]]:
        """Executions by moto's two step function backends: the interpreter's and the plain one."""
        found = []
        for backend in _state_machine_backends(self._account.account_id, self._account.region):
            for machine in list(getattr(backend, "state_machines", [])):
                for execution in list(machine.executions):
                    status = getattr(execution, "status", None) or getattr(
                        execution, "exec_status", ""
                    )
                    arn = getattr(execution, "execution_arn", None) or getattr(
                        execution, "exec_arn", ""
                    )
                    found.append((str(arn), str(machine.arn), str(status)))
        return found


def _state_machine_backends(account_id: str, region: str) -> list[Any]:
    return [b[account_id][region] for b in (stepfunctions_backends, stepfunctions_parser_backends)]
