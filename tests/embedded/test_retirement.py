"""A retirement may end anywhere: the tick goes on with it until nothing is left.

Each case ends the execution in the middle of one AWS call that `retire_endpoint` or the
`remove_capacity` below it makes: the call is carried out, and its execution never hears of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from werkzeug.wrappers import Request

from tests.embedded.by_hand import names
from tests.embedded.inventory import inventory, left
from tests.embedded.stack import Stack, deployed
from tests.embedded.stage_weights_lab import uploads
from tools.embedded.kernel.faults import operation_of
from tools.embedded.types import Fault

MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:autoscaler-"
RETIRE, REMOVE = "retire-endpoint", "remove-capacity"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        found.before = inventory(found.account)
        yield found


def rest(method: str, path: str) -> Callable[[str, Request], bool]:
    return lambda _service, request: request.method == method and path in request.path


def call(operation: str, text: str = "") -> Callable[[str, Request], bool]:
    """A request of this operation whose body has this text."""

    def matches(service: str, request: Request) -> bool:
        named = f"{service}:{operation_of(request)}" == operation
        return named and text in request.get_data(as_text=True)

    return matches


CASES = {
    # name: (in whose execution, the call in whose middle it ends)
    "find-queue": (RETIRE, call("sqs:GetQueueUrl", '"autoscaler-find-queue"')),
    "close-queue": (RETIRE, call("sqs:SetQueueAttributes", "autoscaler-close-queue")),
    "begin-removal": (RETIRE, rest("POST", "autoscaler-check-names/invocations")),
    "check-names": (REMOVE, rest("POST", "autoscaler-check-names/invocations")),
    "target": (REMOVE, call("application-autoscaling:DeregisterScalableTarget")),
    "component": (REMOVE, call("sagemaker:DeleteInferenceComponent")),
    "see-component": (REMOVE, call("sagemaker:DescribeInferenceComponent")),
    "endpoint": (REMOVE, call("sagemaker:DeleteEndpoint")),
    "see-endpoint": (REMOVE, call("sagemaker:DescribeEndpoint")),
    "config": (REMOVE, call("sagemaker:DeleteEndpointConfig")),
    "model": (REMOVE, call("sagemaker:DeleteModel")),
    "whole-removal": (RETIRE, call("sagemaker:DeleteModel")),
    "see-queue": (RETIRE, call("sqs:GetQueueAttributes", "autoscaler-see-queue")),
    "find-mapping": (RETIRE, rest("GET", "/event-source-mappings")),
    "mapping": (RETIRE, rest("DELETE", "/event-source-mappings")),
    "queue": (RETIRE, call("sqs:DeleteQueue", "autoscaler-queue")),
    "dead-letters": (RETIRE, call("sqs:DeleteQueue", "-dlq")),
    "alarms": (RETIRE, call("monitoring:DeleteAlarms")),
    "weights": (RETIRE, rest("POST", "autoscaler-remove-weights/invocations")),
    "record": (RETIRE, rest("POST", "autoscaler-record-phase/invocations")),
}


@dataclass
class Stopper:
    """Ends a machine's running executions of an endpoint at the first request that matches."""

    stack: Stack
    endpoint: str
    machine: str
    matches: Callable[[str, Request], bool]
    stopped: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, service: str, request: Request) -> None:
        if not self.matches(service, request):
            return
        with self.lock:
            found = [] if self.stopped else self._running()
            self.stopped += found
        for arn in found:  # beside: it ends when the call that it makes here is answered
            stop = threading.Thread(target=self._stop, args=(arn,), daemon=True)
            stop.start()
            stop.join(timeout=0.3)

    def _running(self) -> list[str]:
        states = self.stack.account.boto("stepfunctions")
        found = states.list_executions(stateMachineArn=MACHINES + self.machine)["executions"]
        ours = [one for one in found if one["name"].startswith(f"{self.endpoint}-")]
        return [one["executionArn"] for one in ours if one["status"] == "RUNNING"]

    def _stop(self, arn: str) -> None:
        """Once more if moto, which is still starting it, has nothing yet that could be stopped."""
        states = self.stack.account.boto("stepfunctions")
        for _ in range(20):
            try:
                states.stop_execution(executionArn=arn, error="Killed", cause="by the test")
            except ClientError:
                time.sleep(0.02)
            else:
                return

    def ended(self) -> list[str]:
        """How those that were stopped ended."""
        states = self.stack.account.boto("stepfunctions")
        return [states.describe_execution(executionArn=arn)["status"] for arn in self.stopped]


def alarms_and_queues(stack: Stack, name: str) -> list[str]:
    base = f"autoscaler-{name}"
    queues = stack.account.boto("sqs").list_queues(QueueNamePrefix=base).get("QueueUrls", [])
    alarms = stack.account.boto("cloudwatch").describe_alarms(AlarmNamePrefix=f"{base}-")
    return [*queues, *(alarm["AlarmName"] for alarm in alarms["MetricAlarms"])]


@pytest.mark.soak  # minutes: `make soak`
@pytest.mark.parametrize("name", CASES)
def test_a_retirement_that_is_ended_anywhere_is_gone_on_with(stack: Stack, name: str) -> None:
    machine, matches = CASES[name]
    assert stack.apply(name)["ok"]
    stack.until(name, "AWAKE")
    stopper = Stopper(stack, name, machine, matches)
    stack.account.front.on_request.append(stopper)
    assert stack.command("delete", endpoint=name)["ok"]
    stack.until(name, None)
    stack.account.front.on_request.remove(stopper)

    # moto calls an execution FAILED that is stopped inside of a Map, or as a call of its returns.
    ends = {"ABORTED", "FAILED"}
    assert stopper.ended() and set(stopper.ended()) <= ends, "it was ended in the middle"
    assert names(stack, f"autoscaler-{name}") == set()
    assert alarms_and_queues(stack, name) == []
    assert stack.mappings(name) == []
    assert stack.instances() == 0, "nothing is billed any more"


def test_after_all_of_them_nothing_is_left(stack: Stack) -> None:
    after = left(stack.before, inventory(stack.account))
    assert set(after) <= {"log groups"}, after


def test_what_failed_before_its_queue_was_read_lets_it_go_at_once(stack: Stack) -> None:
    fail_early(stack, "early")
    stack.ask("early", {"id": "lost", "prompt": "x"})
    assert "1 waiting request in" in stack.command("delete", endpoint="early")["problems"][0]
    asked = stack.account.clock.time()
    assert stack.command("delete", endpoint="early", discard_requests=True)["ok"]
    stack.until("early", None)
    assert stack.account.clock.time() - asked < 1200, "and not after the 35 minutes of a drain"
    assert alarms_and_queues(stack, "early") == []


def test_what_nobody_read_is_refused_with_a_stored_reason(stack: Stack) -> None:
    fail_early(stack, "unread")
    assert stack.command("delete", endpoint="unread")["ok"], "its queue is empty"
    stack.ask("unread", {"id": "late", "prompt": "x"})  # SQS took it before the queue was closed
    assert stack.result("unread", "late")["error"] == "'unread' is being removed"
    stack.until("unread", None)
    assert stack.mappings("unread") == []
    assert alarms_and_queues(stack, "unread") == []


def test_weights_go_with_their_endpoint_only_if_no_other_one_has_them(stack: Stack) -> None:
    for name in ("one", "two"):
        assert stack.apply(name)["ok"]
    for name in ("one", "two"):
        stack.until(name, "AWAKE")
    whole = weights(stack)
    assert [key for key in whole if key.startswith("passports/")]
    half = next(key for key in whole if key.endswith(".safetensors"))
    left_open(stack, half)
    assert stack.command("delete", endpoint="one", discard_weights=True)["ok"]
    stack.until("one", None)
    assert weights(stack) == whole, "the other one has them"
    assert uploads(stack) == [half]
    assert stack.command("delete", endpoint="two", discard_weights=True)["ok"]
    stack.until("two", None)
    assert weights(stack) == []
    assert uploads(stack) == [], "what is half there is billed too"
    assert stack.apply("three")["ok"]
    stack.until("three", "AWAKE")
    assert weights(stack) == whole, "they are staged anew when they are needed"
    assert stack.command("delete", endpoint="three")["ok"]
    stack.until("three", None)
    assert weights(stack) == whole, "nobody asked for their removal"


def weights(stack: Stack) -> list[str]:
    """But for pointers to contents: hints of some bytes, which are looked at before use."""
    listed = stack.account.boto("s3").list_objects_v2(Bucket=stack.outputs["WeightsBucketName"])
    keys = [item["Key"] for item in listed.get("Contents", ())]
    return [key for key in keys if not key.startswith("contents/")]


def left_open(stack: Stack, key: str) -> None:
    """As a staging that broke off leaves a large file, for whoever goes on with it."""
    s3, place = stack.account.boto("s3"), {"Bucket": stack.outputs["WeightsBucketName"], "Key": key}
    upload = s3.create_multipart_upload(**place)["UploadId"]
    s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"half")


def fail_early(stack: Stack, name: str) -> None:
    """FAILED with a queue, and without a mapping."""
    fault = Fault("sagemaker:CreateModel", "ValidationException", "no such image")
    stack.account.front.inject(fault)
    assert stack.apply(name)["ok"]
    stack.until(name, "FAILED")
    assert stack.mappings(name) == []
    assert any(shot.message == "no such image" for _, shot in stack.account.front.fired)


def test_every_call_of_the_two_machines_is_among_the_cases() -> None:
    from tests.contract.test_statemachines import ROOT, calls

    covered = json.dumps(
        {
            "sqs": ["getQueueUrl", "setQueueAttributes", "getQueueAttributes", "deleteQueue"],
            "lambda": ["listEventSourceMappings", "deleteEventSourceMapping"],
            "cloudwatch": ["deleteAlarms"],
            "applicationautoscaling": ["deregisterScalableTarget"],
            "sagemaker": [
                *("deleteInferenceComponent", "describeInferenceComponent", "deleteEndpoint"),
                *("describeEndpoint", "deleteEndpointConfig", "deleteModel"),
            ],
        }
    )
    made: set[Any] = set()
    for stem in ("retire_endpoint", "remove_capacity"):
        for _, service, operation, _ in calls(ROOT / "statemachines" / f"{stem}.asl.yaml"):
            made.add((service, operation))
    known = json.loads(covered)
    others = {one for one in made if one[1] not in known.get(one[0], ())}
    assert others == {
        ("lambda", "createEventSourceMapping"),  # made only for what was never read
        ("sagemaker", "listInferenceComponents"),  # only looks, and only at shared machines
    }
