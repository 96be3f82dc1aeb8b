"""One account with the stack in it: everything that moves is moved by whoever holds this."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from autoscaler.aws.table import TableStore
from autoscaler.endpoints.kinds import VARIANT
from autoscaler.endpoints.phases import IN_TRANSITION
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.spec import Kind
from tests.histories.clock import StillClock, standing_still
from tests.histories.cloudformation import CloudFormation
from tests.histories.handlers import Handlers, in_this_process
from tests.histories.mappings import Mappings
from tests.histories.rights import Rights
from tests.histories.step_functions import Invoked, StepFunctions
from tests.histories.template import STACK, function_arn, functions, resources
from tests.histories.watch import Watch
from tests.histories.wire import Wire
from tests.samples import document
from tools.embedded.kernel import (
    conditional_writes,
    plain_values,
    remembered,
    tag_index,
    transactions,
)
from tools.embedded.kernel.outlets import Objects, log_writer, publisher
from tools.embedded.kernel.runtime import empty_zip
from tools.embedded.metrics.moto_cloudwatch import CloudWatchPatches
from tools.embedded.metrics.store import MetricsStore
from tools.embedded.pricing.service import PricingService
from tools.embedded.pump.queues import Queues
from tools.embedded.quotas.service import QuotaService
from tools.embedded.sagemaker import SageMakerService, SimSettings
from tools.embedded.scaling import AutoScalingService
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION
from tools.permissions.grants import arn_of

TUESDAY = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
TICK_SECONDS = 60.0
NAME = "llama"
# Longer than the tick leaves an endpoint at zero unseen.
SELDOM_SECONDS = 960.0
_MOST_STEPS = 5_000


class _StillSageMaker(SageMakerService):
    """Looks at the clock only when it is asked."""

    def _run(self) -> None:
        return


class World:
    """`run` lets time pass; `tick`, `command`, `send` and `step` are what happens in it."""

    def __init__(self, clock: StillClock, wire: Wire, settings: SimSettings) -> None:
        self.clock, self.wire = clock, wire
        self.handlers = Handlers(wire)
        self.events: list[tuple[str, dict[str, Any]]] = []  # on the bus: detail type and detail
        self.tickets: list[str] = []  # that the gateway gave
        self.looks = 0  # that somebody asked for
        self.each_minute: list[Callable[[], object]] = []  # besides the tick
        self.kind = Kind.COMPONENT  # of what is applied
        self.containers_speak = False  # into their logs, which takes its time
        self.cloudformation = CloudFormation(wire)
        self.metrics = MetricsStore()
        self._clients: dict[str, Any] = {}
        self.sagemaker = _StillSageMaker(
            clock, self, self.metrics, settings=settings, weights=lambda _uri: True,
            blobs=Objects(self.client), notify=publisher(self.client), write_log=self._write_log,
        )  # fmt: skip
        self.scaling = AutoScalingService(clock, self.sagemaker)
        self.rights = wire.rights = Rights(self.sagemaker)
        self.states = StepFunctions(clock, wire, self.handlers.invoke, self.client)
        self.queues = Queues(clock)
        self.mappings = Mappings(self.queues, self.handlers.invoke)
        services = (
            self.sagemaker,
            self.scaling,
            PricingService(clock),
            QuotaService(clock, DEFAULT_REGION, ACCOUNT_ID),
        )
        for service in services:
            for name in service.signing_names:
                wire.services[name] = service
        wire.json_services["states"] = self.states.handle
        wire.json_services["events"] = self._put_events
        self.ticks_from = clock.time()
        self.watch = Watch()
        wire.answered.append(self.watch.written)

    def client(self, service: str) -> Any:
        """One attempt a call, for the machines and for the test."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
            self._clients[service] = boto3.client(service, config=config)
        return self._clients[service]

    def make_resources(self) -> None:
        table = resources("AWS::DynamoDB::Table")["Table"]
        self.client("dynamodb").create_table(
            TableName=STACK,
            **{k: table[k] for k in ("BillingMode", "AttributeDefinitions", "KeySchema")},
        )
        for bucket in ("weights", "results", "reports"):
            self.client("s3").create_bucket(Bucket=f"{STACK}-{bucket}-bucket")
        self.client("secretsmanager").create_secret(Name=f"{STACK}/hub-token", SecretString="unset")
        self.client("iam").create_role(
            RoleName="functions", AssumeRolePolicyDocument=json.dumps({"Statement": []})
        )
        self.make_function("dispatch-requests")

    def make_function(self, name: str) -> None:
        """So that a queue can have it for its reader; it is carried out in this process."""
        self.client("lambda").create_function(
            FunctionName=f"{STACK}-{name}",
            Role=arn_of("AWS::IAM::Role", "functions"),
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": empty_zip()},
        )

    # What happens

    def invoke(self, name: str, payload: Any = None) -> Invoked:
        return self.handlers.invoke(function_arn(name), payload or {})

    def tick(self) -> Invoked:
        return self.invoke("reconcile")

    def command(self, command: str, **arguments: Any) -> Invoked:
        return self.invoke("accept-command", {"command": command, **arguments})

    def apply(self, name: str = NAME, **changes: Any) -> Invoked:
        return self.command("apply", document=_document(name, kind=self.kind, **changes))

    def send(self, request_id: str, name: str = NAME, **treated: Any) -> None:
        """`treated`: how, as a message says it under `autoscaler`."""
        body: dict[str, Any] = {
            "id": request_id,
            "messages": [{"role": "user", "content": request_id}],
        }
        body |= {"autoscaler": treated} if treated else {}
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{STACK}-{name}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))

    def run(self, seconds: float) -> None:
        """Everything at its time: ticks, steps of executions, messages."""
        end, steps = self.clock.time() + seconds, 0
        while True:
            self.work()
            moment = self._next()
            if moment > end:
                break
            steps += 1
            assert steps < _MOST_STEPS, self._stuck()
            self.move_to(moment)
        self.move_to(end)

    def until(self, holds: Callable[[], bool], most_seconds: float, step_seconds: float) -> None:
        """Lets time pass in steps until it holds; fails after the most."""
        end = self.clock.time() + most_seconds
        while not holds():
            assert self.clock.time() < end, (self.phase(), self.clock.now())
            self.run(step_seconds)

    def work(self) -> None:
        """What is due now, until nothing is."""
        for _ in range(_MOST_STEPS):
            if not self._one_thing():
                return
        raise AssertionError(self._stuck())

    def move_to(self, moment: float) -> None:
        self.clock.move_to(moment)
        self.sagemaker.step()

    def _one_thing(self) -> bool:
        now = self.clock.time()
        if self.looks:
            self.looks -= 1
            self.tick()
            return True
        for execution in self.states.running():
            if execution.due <= now:
                self.states.step(execution)
                return True
        if self.mappings.deliver():
            return True
        if (now - self.ticks_from) >= TICK_SECONDS:
            self.ticks_from += TICK_SECONDS * ((now - self.ticks_from) // TICK_SECONDS)
            self.tick()
            for other in self.each_minute:
                other()
            return True
        return False

    def _next(self) -> float:
        dues = [one.due for one in self.states.running()]
        return min(self.ticks_from + TICK_SECONDS, *dues, self.mappings.next_due())

    def _stuck(self) -> str:
        here = [(one.arn, one.path[-3:]) for one in self.states.running()]
        return f"nothing comes to an end: {here}; {self.record(NAME)}"

    # What there is

    def store(self) -> TableStore:
        return TableStore(STACK, self.client("dynamodb"))

    def record(self, name: str = NAME) -> EndpointRecord | None:
        return self.store().load(name)

    def phase(self, name: str = NAME) -> str | None:
        record = self.record(name)
        return record.status.phase.value if record else None

    @property
    def quiet(self) -> bool:
        """Nothing is under way, and no message waits to be seen."""
        records = self.store().load_all()
        moves = any(one.status.phase in IN_TRANSITION or one.status.untold for one in records)
        return not (moves or self.looks or self.states.running() or self.mappings.waiting())

    def settle(self, hours: float = 8) -> bool:
        """Lets time pass until nothing moves any more, also at the look that an endpoint gets
        seldom while it rests; False: it never came to rest."""
        try:
            return self._rests(self.clock.time() + hours * 3600)
        finally:
            self.rights.note()

    def _rests(self, end: float) -> bool:
        rests = 0
        while self.clock.time() < end:
            rests = rests + 1 if self.quiet else 0
            if rests > 2:
                return True
            if rests == 2:  # the ticks between are lost: they would have seen nothing
                self.move_to(self.clock.time() + SELDOM_SECONDS)
            self.run(TICK_SECONDS)
        return False

    def instances(self) -> int:
        return sum(self.sagemaker.instances_now().values())

    def component(self, name: str) -> str:
        """What has an endpoint's copies: of kinds whose copies are instances, its variant."""
        return f"{STACK}-{name}" + (f"/{VARIANT}" if self.kind.is_whole_instance else "")

    def copies(self, name: str) -> int:
        """Those that SageMaker is to have; of kinds whose copies are instances, these."""
        if not self.kind.is_whole_instance:
            component = self.sagemaker.find_component(f"{STACK}-{name}")
            return component.desired if component else 0
        # Not by a call: it would count as one of the controller's own looks.
        endpoint = self.sagemaker.world.endpoints.get(f"{STACK}-{name}")
        variants = endpoint.variants if endpoint else ()
        return sum(one.model.desired if one.model else one.initial for one in variants)

    def answers(self, name: str = NAME) -> list[str]:
        """The ids of requests that a model answered."""
        return self._results(name, "answer")

    def refusals(self, name: str = NAME) -> list[str]:
        """The ids of requests that have a stored refusal."""
        return self._results(name, "error")

    def _results(self, name: str, key: str) -> list[str]:
        s3, bucket = self.client("s3"), f"{STACK}-results-bucket"
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"results/{name}/")
        ids = []
        for one in found.get("Contents", ()):
            body = json.loads(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read())
            if key in body:
                ids.append(one["Key"].rpartition("/")[2].removesuffix(".json"))
        return sorted(ids)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [detail for name, detail in self.events if name == kind]

    def _write_log(self, group: str, stream: str, moment: float, line: str) -> None:
        if self.containers_speak:
            log_writer(DEFAULT_REGION, ACCOUNT_ID)(group, stream, moment, line)

    # tools.embedded.types.EventSink

    def put_event(self, source: str, detail_type: str, *_: Any, **__: Any) -> None:
        self.looks += 1  # the template's EndpointChangedRule

    def _put_events(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert operation == "PutEvents", operation
        for entry in request["Entries"]:
            self.events.append((entry["DetailType"], json.loads(entry["Detail"])))
            self.looks += entry["DetailType"] == "RequestWaited"
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in request["Entries"]]}


def _document(name: str, **changes: Any) -> dict[str, Any]:
    found = document(name)
    found["model"] = {**found["model"], "source": "hub"}
    found["scaling"] = {"max_copies": 3, "keep_alive": "2h"}
    return {**found, **changes}


@contextmanager
def world(hub: str, settings: SimSettings | None = None) -> Iterator[World]:
    """A stack without endpoints; `hub`: the address of a stand-in for the Hub."""
    clock, wire = StillClock(TUESDAY), Wire()
    with ExitStack() as stack:
        stack.enter_context(standing_still(clock))
        stack.enter_context(in_this_process(wire, clock, HF_ENDPOINT=hub))
        made = _fresh(clock, wire, settings or SimSettings())
        patches = CloudWatchPatches(made.metrics, clock)
        for patch in (patches, made.queues, made.mappings):
            patch.install()
            stack.callback(patch.uninstall)
        stack.enter_context(made.cloudformation.listening())
        tag_index.install(made.sagemaker.tagged)
        made.make_resources()
        yield made


def _fresh(clock: StillClock, wire: Wire, settings: SimSettings) -> World:
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    remembered.install()
    transactions.install()
    conditional_writes.install()
    plain_values.install()
    assert functions()
    return World(clock, wire, settings)
