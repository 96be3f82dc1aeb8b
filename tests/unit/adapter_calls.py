"""Every call of every adapter, and what may become of it (test_every_service_in_trouble.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.events.life import EndpointAwoke
from autoscaler.alerts.message import Message
from autoscaler.alerts.office import Held
from autoscaler.aws import removal
from autoscaler.aws.alert_queue import AlertQueue
from autoscaler.aws.alert_secret import AlertSecret
from autoscaler.aws.answer_addresses import AnswerAddresses
from autoscaler.aws.asked import recorded_by
from autoscaler.aws.bodies import S3Bodies
from autoscaler.aws.container_logs import CloudWatchContainerLogs
from autoscaler.aws.cost_explorer import CostExplorer
from autoscaler.aws.events import BusAnnouncer
from autoscaler.aws.flows import StepFunctionsFlows
from autoscaler.aws.held import TableHeld
from autoscaler.aws.inventory import AwsAccount
from autoscaler.aws.kept_answers import S3KeptAnswers
from autoscaler.aws.late import S3LateModels
from autoscaler.aws.load import AwsLoadReader
from autoscaler.aws.model import SageMakerModels
from autoscaler.aws.multipart import S3PartUploads
from autoscaler.aws.namesakes import Namesakes
from autoscaler.aws.own_usage import ControllerMetrics
from autoscaler.aws.price_list import AwsPriceList
from autoscaler.aws.quotas import ServiceQuotas
from autoscaler.aws.readers import MappedReaders
from autoscaler.aws.reports import S3Reports
from autoscaler.aws.requests import QueueRequests
from autoscaler.aws.results import S3Results
from autoscaler.aws.scaler import SageMakerScaler
from autoscaler.aws.seen import TableSeen
from autoscaler.aws.sweep_memory import TableMemory
from autoscaler.aws.table import TableStore
from autoscaler.aws.tenants import TableTenants
from autoscaler.aws.tickets import Tickets
from autoscaler.aws.topics import TopicSink
from autoscaler.aws.weights import S3WeightStore
from autoscaler.catalog.prices import PriceBook
from autoscaler.control.sweep import Kind as ResourceKind
from autoscaler.control.sweep import Resource
from autoscaler.control.sweeping import Memory
from autoscaler.endpoints.stack_state import StackState
from autoscaler.endpoints.status import Traffic
from autoscaler.policy.types import Bounds
from autoscaler.ports import (
    Flow,
    KeptAnswer,
)
from autoscaler.spec import Kind
from tests.memory import NOON
from tests.samples import asleep, spec

LAYER = Path(__file__).parents[2] / "layers" / "autoscaler" / "autoscaler"
NAME = "llama"


def refused(code: str, status: int) -> ClientError:
    told = {"Error": {"Code": code, "Message": "Rate exceeded"}}
    return ClientError({**told, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")


TROUBLES: dict[str, Exception] = {
    "throttled": refused("ThrottlingException", 400),
    "timed out": ReadTimeoutError(endpoint_url="https://aws.example"),
    "internal error": refused("InternalFailure", 500),
    "denied": refused("AccessDeniedException", 403),
}


@dataclass
class Broken:
    """A client every call of which fails in one way."""

    trouble: Exception
    calls: list[str] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="us-east-1"))

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(*_given: Any, **_named: Any) -> Any:
            self.calls.append(operation)
            raise self.trouble

        return call

    def get_paginator(self, operation: str) -> Any:
        def paginate(**_given: Any) -> Iterator[Any]:
            self.calls.append(operation)
            raise self.trouble
            yield

        return SimpleNamespace(paginate=paginate)


MESSAGE = Message(Severity.WARNING, "title", "text", (), "")
FLOWS = {Flow.WAKE: "arn:aws:states:us-east-1:123456789012:stateMachine:wake"}
NEW = asleep(NAME)
EVENT = EndpointAwoke.model_construct(endpoint=NAME)
HELD = Held("t", NOON, False, EVENT, "k")
ORPHAN = Resource(ResourceKind.MODEL, "a-orphan")
TRAFFIC = Traffic(endpoint=NAME, start=NOON)
TODAY = date(2026, 11, 24)
# By service, every call of an adapter that uses it; `c` is the service's client.
CALLS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "application-autoscaling": {
        "move the bounds": lambda c: SageMakerScaler("a", Broken(c.trouble), c).set_bounds(
            NAME, Bounds(0, 1), Kind.COMPONENT
        ),
    },
    "ce": {
        "read the bill": lambda c: CostExplorer("a", "us-east-1", c).read(TODAY, TODAY, NOON),
    },
    "dynamodb": {
        "keep where to answer": lambda c: AnswerAddresses("t", c).keep("r", "https://x"),
        "find where to answer": lambda c: AnswerAddresses("t", c).find("r"),
        "read the fleet": lambda c: TableStore("t", c).load_all(),
        "read one": lambda c: TableStore("t", c).load(NAME),
        "read the switch": lambda c: TableStore("t", c).stack(),
        "throw the switch": lambda c: TableStore("t", c).save_stack(StackState()),
        "write one": lambda c: TableStore("t", c).save(NEW),
        "create one": lambda c: TableStore("t", c).create(spec(), NEW),
        "forget one": lambda c: TableStore("t", c).forget(NEW),
        "know the last generation": lambda c: TableStore("t", c).last_generation(NAME),
        "read the ledger": lambda c: TableStore("t", c).usage(NOON, NOON),
        "count a failure": lambda c: TableStore("t", c).count_failure(NAME, "m", NOON),
        "note what is due": lambda c: TableStore("t", c).note_due(NAME, NOON, NOON),
        "mark as told": lambda c: TableSeen("t", c).first_time("k", timedelta(1), "h"),
        "count leases": lambda c: TableTenants("t", c).running(NAME, NOON),
        "take a lease": lambda c: TableTenants("t", c).take(NAME, "x", ["m"], None, NOON, NOON),
        "give a lease back": lambda c: TableTenants("t", c).give_back(NAME, "x", "m"),
        "read the prices": lambda c: TableStore("t", c).prices(),
        "keep the prices": lambda c: TableStore("t", c).keep_prices(PriceBook()),
        "read the history": lambda c: TableStore("t", c).history(NAME),
        "read a day's history": lambda c: TableStore("t", c).history_within(NAME, NOON, NOON),
        "count traffic": lambda c: TableStore("t", c).count_traffic(TRAFFIC),
        "read the traffic": lambda c: TableStore("t", c).traffic(TODAY, TODAY),
        "forget what is due": lambda c: TableStore("t", c).forget_due(NAME, NOON),
        "keep a mark": lambda c: TableSeen("t", c).keep("k", timedelta(1)),
        "forget a mark": lambda c: TableSeen("t", c).forget("k"),
        "hold an alert": lambda c: TableHeld("t", c).hold(HELD),
        "read held alerts": lambda c: TableHeld("t", c).all(),
        "drop held alerts": lambda c: TableHeld("t", c).drop([HELD]),
        "know what was swept": lambda c: TableMemory("t", c).load(),
        "note what was swept": lambda c: TableMemory("t", c).save(Memory()),
    },
    "events": {
        "announce": lambda c: BusAnnouncer("bus", c).announce(
            SimpleNamespace(detail_type="EndpointAwoke", model_dump_json=lambda: "{}")
        ),
        "announce many": lambda c: BusAnnouncer("bus", c).announce_all([EVENT]),
    },
    "lambda": {
        "set the readers": lambda c: MappedReaders("a", "d", "arn:", c).set(NAME, 2),
        "read what may wait": lambda c: MappedReaders("a", "d", "arn:", c).read_later(NAME, True),
    },
    "logs": {
        "read a container's log": lambda c: CloudWatchContainerLogs("a", c).read(NAME, NOON),
    },
    "pricing": {"read the price list": lambda c: AwsPriceList(c).read("us-east-1")},
    "s3": {
        "find an answer": lambda c: S3Results("b", c).find(NAME, "r"),
        "store an answer": lambda c: S3Results("b", c).put_once(NAME, "r", {"answer": 1}),
        "read an answer": lambda c: S3Results("b", c).get(NAME, "r"),
        "read a body": lambda c: S3Bodies("b", c).get(NAME, f"s3://b/requests/{NAME}/r.json"),
        "find a kept answer": lambda c: S3KeptAnswers("b", c).find(NAME, "digest"),
        "keep an answer": lambda c: S3KeptAnswers("b", c).put(NAME, "d", KeptAnswer({}, NOON)),
        "look for a late answer": lambda c: S3LateModels("a", "b", c, c).look(NAME, "r"),
        "know a late request": lambda c: S3LateModels("a", "b", c, c).was_asked(NAME, "r"),
        "forget a late request": lambda c: S3LateModels("a", "b", c, c).forget(NAME, "r"),
        "hand a late request over": lambda c: S3LateModels("a", "b", c, c).ask(NAME, "r", {}),
        "read a report": lambda c: S3Reports("b", c).get("k"),
        "write a report": lambda c: S3Reports("b", c).put("k", b"", "text/html"),
        "look at weights": lambda c: S3WeightStore(c, "b").head("k"),
        "list weights": lambda c: list(S3WeightStore(c, "b").list("models/")),
        "delete weights": lambda c: S3WeightStore(c, "b").delete("k"),
        "write a passport": lambda c: S3WeightStore(c, "b").put_bytes("k", b"x"),
        "read a passport": lambda c: S3WeightStore(c, "b").get("k"),
        "prove weights": lambda c: S3WeightStore(c, "b").sha256_of("k"),
        "copy weights": lambda c: S3WeightStore(c, "b").copy("j", "k", 1, "00"),
        "begin a large file": lambda c: S3PartUploads(c, "b").begin("k", "00"),
        "complete a large file": lambda c: S3PartUploads(c, "b").complete("k", "u", 1, "c"),
        "give a large file up": lambda c: S3PartUploads(c, "b").abort("k", "u"),
        "give all large files up": lambda c: S3PartUploads(c, "b").abort_all("models/"),
        "copy a large file": lambda c: S3PartUploads(c, "b").copy("j", "k", 1, "00"),
        "keep a ticket's body": lambda c: Tickets("a", "b", c, c).keep(NAME, "r", b"x", "", {}),
        "know who waits": lambda c: Tickets("a", "b", c, c).waiting(NAME, "r"),
        "find a ticket's result": lambda c: Tickets("a", "b", c, c).result(NAME, "r"),
    },
    "sagemaker": {
        "look at capacity": lambda c: SageMakerScaler("a", c, c).look(NAME),
        "look at a realtime one": lambda c: SageMakerScaler("a", c, c).look(NAME, Kind.REALTIME),
        "look at an async one": lambda c: SageMakerScaler("a", c, c).look(NAME, Kind.ASYNC),
        "move copies": lambda c: SageMakerScaler("a", c, c).set_copies(NAME, 1, Kind.COMPONENT),
        "move instances": lambda c: SageMakerScaler("a", c, c).set_copies(NAME, 1, Kind.ASYNC),
        "look for namesakes": lambda c: Namesakes("a", lambda _: c).of_sagemaker(NAME),
        "look for all namesakes": lambda c: Namesakes("a", lambda _: c).all(NAME),
        "remove a model": lambda c: removal.remove(lambda _: c, ORPHAN),
        "remove an orphan": lambda c: AwsAccount("a", "d", lambda _: c).remove(ORPHAN),
    },
    "sagemaker-runtime": {
        "ask a model": lambda c: SageMakerModels("a", c).ask(NAME, {"messages": []}),
    },
    "secretsmanager": {"read the alerts' secret": lambda c: AlertSecret("s", c).current()},
    "service-quotas": {"read the quotas": lambda c: ServiceQuotas(c).for_endpoints()},
    "sns": {
        "tell a topic": lambda c: TopicSink("arn:aws:sns:us-east-1:1:t", sns=c).send(MESSAGE),
    },
    "sqs": {
        "count what waits": lambda c: AwsLoadReader("a", c, c).backlog(NAME),
        "count what may wait": lambda c: AwsLoadReader("a", c, c).deferrable(NAME),
        "count the refused": lambda c: AwsLoadReader("a", c, c).dead_letters(NAME),
        "count what is in sight": lambda c: AwsLoadReader("a", c, c).untaken(NAME),
        "put a request back": lambda c: QueueRequests("a", c).postpone(NAME, "h", timedelta(1)),
        "move a request": lambda c: QueueRequests("a", c).move(NAME, "{}", NOON),
        "refuse a request": lambda c: QueueRequests("a", c).refuse(NAME, "m", "{}", "why"),
        "put an alert off": lambda c: AlertQueue("u", c).put_off("h", 3),
    },
    "stepfunctions": {
        "start a flow": lambda c: StepFunctionsFlows("a", FLOWS, c).start(Flow.WAKE, NAME, 1),
        "look at a flow": lambda c: StepFunctionsFlows("a", FLOWS, c).look(Flow.WAKE, NAME, 1),
        "stop a flow": lambda c: StepFunctionsFlows("a", FLOWS, c).stop(Flow.WAKE, NAME, 1, "x"),
    },
}
CALLS["cloudwatch"] = {
    "read what the controller used": lambda c: ControllerMetrics("a", {"f": 1}, "t", (), c).read(
        NOON, NOON + timedelta(hours=1), lambda start, end: True
    ),
    "read what was asked of endpoints": lambda c: recorded_by(c, "a", NOON, 14)(spec()),
}
# What has tests of its own where it says what is missing, below and elsewhere.
ELSEWHERE = {"cloudwatch"}
# What Broken cannot stand for, or what is no answer to anybody, with its reason.
REASONS = {
    "alert_secret.AlertSecret.reread": "as `current`, and tests/unit/test_alerts_secret.py",
    "callbacks": "calls no AWS: tests/unit/test_callbacks.py",
    "addressing": "asks no service: what it chooses is in test_weights_go_to_the_s3_of_the_region",
    "clients": "makes the clients",
    "clock": "calls nobody",
    "data_loader": "reads botocore's files",
    "details": "pure",
    "hooks": "calls no AWS: tests/embedded/test_alert_sinks.py",
    "inventory.AwsAccount.describe": "says what is missing, as `look` does, below",
    "inventory.AwsAccount.look": "says what is missing, below",
    "items": "pure",
    "load.AwsLoadReader.read": "says what is missing, below",
    "metric_data.MetricData.whole": "pure",
    "model.is_not_there": "pure",
    "model.typed": "pure",
    "multipart.S3PartUploads.put": "goes beside botocore: tests/embedded/test_staging_slow_s3.py",
    "new_models.make_model": "below",
    "outlets": "a reply is tried again by its message: tests/unit/test_aws_outlets.py",
    "pages": "pure",
    "pauses": "an alert is told all the same: tests/unit/test_alerts_pauses.py",
    "posts": "calls no AWS: tests/unit/test_alerts_pauses.py",
    "price_book": "pure",
    "scaler.deployed": "pure",
    "scaler.is_absent": "pure",
    "sinks": "makes the sinks",
    "slack": "calls no AWS: tests/embedded/test_slack_receiver.py",
    "streaming": "not by botocore: tests/unit/test_gateway_streaming.py",
    "teams": "an alert is told all the same: tests/unit/test_alerts_seen.py",
    "topics.NoTopic.send": "calls nobody",
    "troubles": "what this file is about",
    "uploads": "goes beside botocore: tests/embedded/test_staging_slow_s3.py",
    "without_crt": "calls nobody: tests/unit/test_without_crt.py",
    "weights.S3WeightStore.put_windows": "goes beside botocore, as `uploads`",
}
EACH = [(service, what) for service, calls in CALLS.items() for what in calls]
