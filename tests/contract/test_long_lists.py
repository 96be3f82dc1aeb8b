"""What AWS gives in pages is read to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from autoscaler.alerts.events.life import EndpointCreated
from autoscaler.alerts.message import message_of
from autoscaler.aws.items import history_item
from autoscaler.aws.readers import MappedReaders
from autoscaler.aws.table import TableStore
from autoscaler.aws.topics import TopicSink
from autoscaler.catalog.prices import bundled
from autoscaler.endpoints.status import HistoryEntry
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import read_books
from autoscaler.policy.types import Phase
from tests.contract.test_statemachines import ROOT, machine
from tests.samples import asleep, spec
from tests.tables import make_table
from tools.embedded.kernel.expressions import evaluated as value_of

NAME = "llama"
NOW = "2026-11-24T12:00:00.000Z"
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = Period.month(FIRST.date())
WAKES_A_DAY = 6
UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
# Long lines, so that some hundred fill a page as some thousand do of those that are written.
TEXT = "Answered 312 s after it was asked for: trigger 1 s, capacity 105 s, weights 206 s. " * 25
PHASES = (Phase.WAKING, Phase.AWAKE, Phase.SLEEPING, Phase.ASLEEP)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("dynamodb", region_name="us-east-1")
        make_table(made)
        yield made


def a_month() -> list[HistoryEntry]:
    """Oldest first."""
    lines = []
    for number in range(30 * WAKES_A_DAY):
        began = FIRST + number * timedelta(days=1) / WAKES_A_DAY
        for minutes, phase in enumerate(PHASES):
            lines.append(
                HistoryEntry(
                    endpoint=NAME,
                    at=began + timedelta(minutes=6 * minutes, microseconds=7),
                    generation=2 * number + (2 if phase in (Phase.WAKING, Phase.AWAKE) else 3),
                    phase=phase,
                    text=TEXT,
                    cause="message" if phase in (Phase.WAKING, Phase.AWAKE) else None,
                    lead_seconds=360.0 if phase is Phase.AWAKE else None,
                )
            )
    return lines


def put_all(dynamodb: Any, lines: Sequence[HistoryEntry]) -> None:
    for first in range(0, len(lines), 25):
        puts = [{"PutRequest": {"Item": history_item(e, 1, 0)}} for e in lines[first : first + 25]]
        assert not dynamodb.batch_write_item(RequestItems={"table": puts})["UnprocessedItems"]


def test_a_month_of_history_is_more_than_a_page_and_no_wake_of_it_is_missing(
    dynamodb: Any,
) -> None:
    lines, store = a_month(), TableStore("table", dynamodb)
    put_all(dynamodb, lines)
    page = dynamodb.query(
        TableName="table",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"HISTORY#{NAME}"}},
        Limit=10_000,
    )
    assert "LastEvaluatedKey" in page and len(page["Items"]) < len(lines), "more than a page"
    assert store.history(NAME, 10_000) == lines[::-1]
    assert store.history(NAME, len(lines) - 1) == lines[:0:-1]
    assert store.history(NAME) == lines[:-51:-1]
    start, end = lines[4].at, lines[-4].at
    assert store.history_within(NAME, start, end) == lines[4:-4]

    store.create(spec(NAME), asleep(NAME, at=FIRST))
    now = MONTH.end + timedelta(hours=6)
    report = summarize(read_books(store, MONTH, now), MONTH, now, bundled())
    (of_it,) = report.endpoints
    assert of_it.wakes.count == of_it.wakes.measured == 30 * WAKES_A_DAY
    assert of_it.wakes.causes == {"message": 30 * WAKES_A_DAY}


def test_a_topic_whose_first_hundred_readers_never_confirmed_is_read_by_the_next() -> None:
    sns, arn = boto3.client("sns", region_name="us-east-1"), "arn:aws:sns:us-east-1:1:alarms"
    pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email"}
    reader = {"SubscriptionArn": f"{arn}:6c", "Protocol": "email"}
    operation = "list_subscriptions_by_topic"
    with Stubber(sns) as aws:
        aws.add_response(
            operation, {"Subscriptions": [pending] * 100, "NextToken": "more"}, {"TopicArn": arn}
        )
        aws.add_response(
            operation, {"Subscriptions": [reader]}, {"TopicArn": arn, "NextToken": "more"}
        )
        aws.add_response("publish", {"MessageId": "m-1"})
        TopicSink(arn, only_if_read=True, sns=sns).send(
            message_of(EndpointCreated(endpoint=NAME, generation=1, at=FIRST, seconds=300.0))
        )
        aws.assert_no_pending_responses()


def test_a_queues_mapping_is_found_on_whatever_page_it_is() -> None:
    functions, arns = boto3.client("lambda", region_name="us-east-1"), "arn:aws:sqs:us-east-1:1:"
    asked = {"EventSourceArn": f"{arns}autoscaler-{NAME}", "FunctionName": "dispatcher"}
    operation, change = "list_event_source_mappings", {"MaximumConcurrency": 5}
    with Stubber(functions) as aws:
        aws.add_response(operation, {"EventSourceMappings": [], "NextMarker": "more"}, asked)
        aws.add_response(
            operation, {"EventSourceMappings": [{"UUID": UUID}]}, {**asked, "Marker": "more"}
        )
        aws.add_response("update_event_source_mapping", {}, {"UUID": UUID, "ScalingConfig": change})
        assert MappedReaders("autoscaler", "dispatcher", arns, functions).set(NAME, 5)
        aws.assert_no_pending_responses()


@pytest.mark.parametrize("ends", [[], [2], [1, 3], [0, 2, 3]])
def test_a_stacks_retirement_finds_the_endpoints_of_every_page(ends: list[int]) -> None:
    """As Step Functions evaluates it; DynamoDB cuts the fleet after these items."""
    states = machine(ROOT / "statemachines" / "retire_stack.asl.yaml")["States"]
    keys = ["#STACK", "a#SPEC", "a#STATUS", "b#SPEC", "b#STATUS"]
    cuts = [*ends, len(keys) - 1]

    def said(text: str, **variables: Any) -> Any:
        return value_of(text.strip().removeprefix("{%").removesuffix("%}"), variables)

    variables: dict[str, Any] = {**states["Begin"]["Assign"]}
    seen = {"input": {"RequestType": "Delete"}, "context": {"Execution": {"StartTime": NOW}}}
    asked = []
    for number, last in enumerate(cuts):
        asked.append(said(states["ListEndpoints"]["Arguments"], states=seen, **variables))
        first = cuts[number - 1] + 1 if number else 0
        result: dict[str, Any] = {"Items": [{"sk": {"S": k}} for k in keys[first : last + 1]]}
        if last < len(keys) - 1:
            result["LastEvaluatedKey"] = {"pk": {"S": "FLEET"}, "sk": {"S": keys[last]}}
        took = states["ListEndpoints"]["Assign"]
        answered = {**variables, "states": {**seen, "result": result}}
        variables |= {
            name: said(text.replace("${RemoveSeconds}", "1"), **answered)
            for name, text in took.items()
        }
        goes_on = said(states["AreAnyLeft"]["Choices"][0]["Condition"], **variables)
        assert goes_on is (last < len(keys) - 1)
        turned = states["TurnPage"]["Assign"].items() if goes_on else ()
        variables |= {name: said(text, **variables) for name, text in turned}
        seen = {**seen, "input": {"request": variables["request"]}}
    assert [one["name"] for one in variables["endpoints"]] == ["a", "b"]
    assert variables["request"] == {"RequestType": "Delete"}
    assert [one.get("ExclusiveStartKey", {}).get("sk", {}).get("S") for one in asked] == [
        None,
        *(keys[last] for last in ends),
    ]
    assert states["AreAnyLeft"]["Choices"][0]["Next"] == "TurnPage"
    anew = states["WaitForEndpoints"]["Assign"]
    assert anew == {name: states["Begin"]["Assign"][name] for name in ("found", "after")}
