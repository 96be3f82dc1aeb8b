"""Throttling, a timeout, an internal error and a denial of every service that the layer calls.

None of them is taken for an answer: neither for "there is none" nor for "it is done". What is
read or asked either says so loudly, in a class that Step Functions tries again or not (`troubles`),
or is told as missing. tests/embedded/test_disorder.py has the same by rate in the whole stack; here
each call of each adapter meets each trouble.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.message import Message
from autoscaler.alerts.sinks import RetryLater, SinkRejectedError
from autoscaler.aws import new_models, troubles
from autoscaler.aws.alert_queue import AlertQueue
from autoscaler.aws.alert_secret import AlertSecret
from autoscaler.aws.bodies import S3Bodies
from autoscaler.aws.container_logs import CloudWatchContainerLogs
from autoscaler.aws.cost_explorer import CostExplorer, NoBillError
from autoscaler.aws.events import BusAnnouncer
from autoscaler.aws.flows import StepFunctionsFlows
from autoscaler.aws.inventory import AwsAccount
from autoscaler.aws.kept_answers import S3KeptAnswers
from autoscaler.aws.late import S3LateModels
from autoscaler.aws.load import AwsLoadReader
from autoscaler.aws.model import SageMakerModels
from autoscaler.aws.price_list import AwsPriceList
from autoscaler.aws.quotas import ServiceQuotas
from autoscaler.aws.readers import MappedReaders
from autoscaler.aws.reports import S3Reports
from autoscaler.aws.requests import QueueRequests
from autoscaler.aws.results import S3Results
from autoscaler.aws.scaler import SageMakerScaler
from autoscaler.aws.seen import TableSeen
from autoscaler.aws.table import TableStore
from autoscaler.aws.tenants import TableTenants
from autoscaler.aws.topics import TopicSink
from autoscaler.aws.troubles import by_class
from autoscaler.aws.weights import S3WeightStore
from autoscaler.endpoints.stack_state import StackState
from autoscaler.policy.types import Bounds
from autoscaler.ports import (
    BusyError,
    Flow,
    KeptAnswer,
    NotAllowedError,
    PriceListError,
    QuotaError,
    UnsureError,
)
from autoscaler.runtime import staging
from autoscaler.spec import Kind
from autoscaler.staging.errors import StoreUnavailableError
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
CLASSES = {
    "throttled": troubles.ThrottledError,
    "timed out": troubles.UnavailableError,
    "internal error": troubles.UnavailableError,
    "denied": troubles.DeniedError,
}
# By what an adapter says in its own words that it is no answer; its users know these.
OWN = (
    BusyError,
    NoBillError,
    NotAllowedError,
    PriceListError,
    QuotaError,
    RetryLater,
    SinkRejectedError,
    StoreUnavailableError,
    UnsureError,
    new_models.ModelNotMadeError,
)


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
    },
    "events": {
        "announce": lambda c: BusAnnouncer("bus", c).announce(
            SimpleNamespace(detail_type="EndpointAwoke", model_dump_json=lambda: "{}")
        ),
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
        "read a report": lambda c: S3Reports("b", c).get("k"),
        "write a report": lambda c: S3Reports("b", c).put("k", b"", "text/html"),
        "look at weights": lambda c: S3WeightStore(c, "b").head("k"),
        "list weights": lambda c: list(S3WeightStore(c, "b").list("models/")),
        "delete weights": lambda c: S3WeightStore(c, "b").delete("k"),
        "write a passport": lambda c: S3WeightStore(c, "b").put_bytes("k", b"x"),
    },
    "sagemaker": {
        "look at capacity": lambda c: SageMakerScaler("a", c, c).look(NAME),
        "look at a realtime one": lambda c: SageMakerScaler("a", c, c).look(NAME, Kind.REALTIME),
        "look at an async one": lambda c: SageMakerScaler("a", c, c).look(NAME, Kind.ASYNC),
        "move copies": lambda c: SageMakerScaler("a", c, c).set_copies(NAME, 1, Kind.COMPONENT),
        "move instances": lambda c: SageMakerScaler("a", c, c).set_copies(NAME, 1, Kind.ASYNC),
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
# What has tests of its own where it says what is missing, below and elsewhere.
ELSEWHERE = {"cloudwatch"}
EACH = [(service, what) for service, calls in CALLS.items() for what in calls]


def test_every_service_that_the_layer_calls_is_here() -> None:
    text = "\n".join(path.read_text() for path in LAYER.rglob("*.py"))
    named = set(re.findall(r"\bclients?\(\"([a-z0-9-]+)\"\)", text))
    assert len(named) > 12
    assert named <= CALLS.keys() | ELSEWHERE


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("service", "what"), EACH)
def test_trouble_is_never_taken_for_an_answer(service: str, what: str, trouble: str) -> None:
    broken = Broken(TROUBLES[trouble])
    call = by_class(CALLS[service][what])
    if (what, trouble) == ("read the alerts' secret", "denied"):
        assert "cannot be read: AccessDenied" in call(broken).problems[0]
    elif (what, trouble) == ("read a container's log", "throttled"):
        assert call(broken) == [], "it is read at the next look"
    else:
        with pytest.raises((CLASSES[trouble], *OWN)):
            call(broken)
    assert broken.calls, "the trouble was met"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_metrics_and_queues_in_trouble_are_missing_and_say_why(trouble: str) -> None:
    broken = Broken(TROUBLES[trouble])
    load = AwsLoadReader("a", broken, broken).read([NAME], NOON)[NAME]
    assert (load.backlog, load.concurrency_per_copy, load.invocations) == (None, None, None)
    assert load.trouble
    assert len(broken.calls) == 2


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_account_that_cannot_be_listed_is_incomplete_and_not_empty(trouble: str) -> None:
    """By whatever a sweep lists: it says so, and nothing is removed."""
    broken = Broken(TROUBLES[trouble])
    look = AwsAccount("a", "dispatcher", lambda _service: broken).look()
    assert look.resources == ()
    assert len(look.problems) >= 5
    assert broken.calls


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_hubs_token_in_trouble_is_not_taken_for_no_token(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one a gated model would be refused by the Hub, and the reason would be wrong."""
    broken = Broken(TROUBLES[trouble])
    monkeypatch.setenv("HUB_TOKEN_SECRET", "autoscaler/hub-token")
    monkeypatch.setattr(staging, "client", lambda _service: broken)
    with pytest.raises(CLASSES[trouble]) as told:
        by_class(staging.stored_token)()
    assert broken.calls == ["get_secret_value"]
    if trouble == "denied":
        assert "'autoscaler/hub-token' may not be read" in str(told.value)


def test_a_secret_that_is_missing_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Broken(refused("ResourceNotFoundException", 400))
    monkeypatch.setenv("HUB_TOKEN_SECRET", "autoscaler/hub-token")
    monkeypatch.setattr(staging, "client", lambda _service: missing)
    assert staging.stored_token() is None
    assert AlertSecret("s", missing).current().problems == ()
    assert len(missing.calls) == 2


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_model_that_could_not_be_made_says_why_without_the_token(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(TROUBLES[trouble])
    monkeypatch.setattr(new_models, "client", lambda _service: broken)
    with pytest.raises(new_models.ModelNotMadeError) as told:
        new_models.make_model({"PrimaryContainer": {}}, "HF_TOKEN", "Rate")
    assert "Rate" not in str(told.value)
    assert broken.calls == ["create_model"]
