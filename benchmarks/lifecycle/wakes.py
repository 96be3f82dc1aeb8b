"""From a message to the wish and the execution that carries it out, in seconds of the wall."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from benchmarks.lifecycle.fleet import DISPATCH
from tests.embedded.stack import Stack
from tests.samples import asleep, spec
from tools.embedded.kernel.traffic import Call

PATIENCE_SECONDS = 20.0
START = "states:StartExecution"
STEPS = ("autoscaler-plan-wake", "autoscaler-record-phase")


@dataclass(frozen=True)
class Samples:
    """Seconds from SendMessage until Step Functions has answered StartExecution."""

    seconds: list[float]

    def percentile(self, of_hundred: int) -> float:
        return quantiles(self.seconds, n=100, method="inclusive")[of_hundred - 1]


class Wakes:
    """Sleeping endpoints with their queues and mappings, and nothing in SageMaker: what is measured
    is over before anybody looks there. The executions find none of the functions that would write
    to the table, and end."""

    def __init__(self, stack: Stack, endpoints: int) -> None:
        self._stack = stack
        self._names = [f"s{number:02}" for number in range(endpoints)]
        self._urls: dict[str, str] = {}
        self._heard: dict[str, threading.Event] = {}
        self._at: dict[str, float] = {}
        stack.account.front.traffic.on_call.append(self._hear)
        for step in STEPS:
            stack.account.runtime.undefine(step)
        for name in self._names:
            self._prepare(name)

    def measure(self, rounds: int, *, cold: bool) -> Samples:
        """One message to each endpoint in each round; `cold`: no dispatcher is there yet."""
        found = []
        for _ in range(rounds):
            for name in self._names:
                if cold:
                    self._cool()
                found.append(self._wake(name))
                self._put_back(name)
        return Samples(found)

    def _wake(self, name: str) -> float:
        heard = self._heard[name] = threading.Event()
        sqs = self._stack.account.boto("sqs")
        body = json.dumps({"prompt": "x", "max_tokens": 1})
        began = time.monotonic()
        sqs.send_message(QueueUrl=self._urls[name], MessageBody=body)
        if not heard.wait(PATIENCE_SECONDS):
            raise AssertionError(f"{name} was not woken in {PATIENCE_SECONDS} s")
        if self._status(name).phase is not Phase.WAKING:
            raise AssertionError(f"{name} was started before its wish was stored")
        return self._at[name] - began

    def _hear(self, call: Call) -> None:
        if call.operation == START and call.by_role:
            name = json.loads(call.body).get("name", "").rpartition("-")[0]
            if name in self._heard:
                self._at[name] = call.ended
                self._heard[name].set()

    def _prepare(self, name: str) -> None:
        account = self._stack.account
        sqs, queue = account.boto("sqs"), f"autoscaler-{name}"
        made = sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "960"})
        self._urls[name] = made["QueueUrl"]
        self._stack.store().create(spec(name), asleep(name, at=account.clock.now()))
        account.boto("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:{account.region}:{account.account_id}:{queue}",
            FunctionName=DISPATCH,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )

    def _status(self, name: str) -> EndpointStatus:
        record = self._stack.store().load(name)
        assert record is not None
        return record.status

    def _put_back(self, name: str) -> None:
        """Asleep again under the generation that it has; its execution ends."""
        account = self._stack.account
        store, status = self._stack.store(), self._status(name)
        machine = f"{account.region}:{account.account_id}:execution:autoscaler-wake-endpoint"
        account.boto("stepfunctions").stop_execution(
            executionArn=f"arn:aws:states:{machine}:{name}-{status.generation}"
        )
        self._rested()
        before = asleep(name, at=account.clock.now(), generation=status.generation)
        store.save(before.model_copy(update={"version": self._status(name).version}))

    def _rested(self) -> None:
        """The dispatcher has ended. The message was put back for the time of a start, minutes."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._busy():
            if time.monotonic() > end:
                raise AssertionError("a dispatcher does not end")
            time.sleep(0.005)

    def _busy(self) -> bool:
        function = self._stack.account.runtime.find(DISPATCH)
        with function.lock:
            return len(function.idle) < sum(one.alive for one in function.environments)

    def _cool(self) -> None:
        """Takes every warm dispatcher away."""
        function: Any = self._stack.account.runtime.find(DISPATCH)
        with function.lock:
            warm, function.idle = function.idle, []
            function.environments = [one for one in function.environments if one not in warm]
        for environment in warm:
            environment.close()
