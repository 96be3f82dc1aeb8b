"""The report_costs function over moto: an order in, three objects and an event out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws
from pydantic import ValidationError

from autoscaler.aws.clients import client
from autoscaler.aws.sweep_memory import TableMemory
from autoscaler.aws.table import TableStore
from autoscaler.control.sweeping import Memory
from autoscaler.runtime import reports as reporting
from tests.asked import asked
from tests.ledger_books import fleet_books
from tests.samples import asleep, spec
from tests.tables import make_table

ENV = {
    "STACK_NAME": "stack",
    "FUNCTION_MEMORY_MB": '{"reconcile": 512, "dispatch-requests": 1024}',
    "STACK_ALARMS": "4",
    "STACK_SECRETS": "2",
    "TICK_MINUTES": "1",
    "RESULTS_BUCKET": "results",
    "WEIGHTS_BUCKET": "weights",
    "TABLE_NAME": "table",
    "BUS_NAME": "bus",
    "REPORTS_BUCKET": "reports",
    "DEFAULT_TIME_ZONE": "Europe/Berlin",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


class Evening:
    """The clock of the Tuesday on which the report is asked for."""

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 5, 5, tzinfo=UTC)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reporting, "SystemClock", Evening)
    with mock_aws():
        client.cache_clear()
        reporting._settings.cache_clear()
        make_table(boto3.client("dynamodb"))
        boto3.client("events").create_event_bus(Name="bus")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="reports")
        yield s3
    client.cache_clear()
    reporting._settings.cache_clear()


def written(order: Any, minutes_left: float = 15) -> dict[str, Any]:
    """What the function answers to an order."""
    return reporting.report(order, lambda: int(minutes_left * 60_000))


def fill() -> None:
    store, books = TableStore("table"), fleet_books()
    for record in books.records:
        store.create(record.spec, record.status)
        segments = [s for s in books.segments if s.endpoint == record.spec.name]
        for first in range(0, len(segments), 90):
            status = store.load(record.spec.name).status  # type: ignore[union-attr]
            store.save(status, segments=segments[first : first + 90])
    for counted in books.traffic:
        store.count_traffic(counted)


@pytest.mark.parametrize(
    ("order", "folder"),
    [
        ({"period": "day"}, "reports/day/2026-11-23"),
        ({"period": "week"}, "reports/week/2026-11-16"),
        ({"period": "month"}, "reports/month/2026-10-01"),
        ({"period": "month", "date": "2026-11-10"}, "reports/month/2026-11-01"),
        ({"period": "all"}, "reports/all/2026-10-27"),
    ],
)
def test_each_period_has_its_folder(s3: Any, order: dict[str, str], folder: str) -> None:
    fill()
    reply = written(order)
    assert reply["uris"]["html"] == f"s3://reports/{folder}/costs.html"
    for kind in ("html", "csv", "json"):
        assert s3.get_object(Bucket="reports", Key=f"{folder}/costs.{kind}")["Body"].read()


@pytest.mark.parametrize(
    ("zone", "day"),  # it is 05:05 UTC on the 24th
    [("America/Los_Angeles", "2026-11-23"), ("Europe/Berlin", "2026-11-24"),
     ("Pacific/Kiritimati", "2026-11-24")],
)  # fmt: skip
def test_the_running_day_is_that_of_the_stacks_time_zone(
    s3: Any, monkeypatch: pytest.MonkeyPatch, zone: str, day: str
) -> None:
    monkeypatch.setenv("DEFAULT_TIME_ZONE", zone)
    fill()
    reply = written({"period": "day", "running": True})
    assert reply["uris"]["html"] == f"s3://reports/reports/day/{day}/costs.html"
    assert reply["running"] is True


def test_the_reply_has_the_totals(s3: Any) -> None:
    fill()
    reply = written({"period": "week"})
    spent = {line["endpoint"]: float(line["cost_usd"]) for line in reply["lines"]}
    assert sum(spent.values()) == pytest.approx(float(reply["cost_usd"]))
    saved = float(reply["baseline_usd"]) - float(reply["cost_usd"])
    assert float(reply["saved_usd"]) == pytest.approx(saved)
    assert reply["period"] == "week 16 November – 22 November 2026"


def used(metric: str, at: datetime, value: float, **under: str) -> None:
    dimensions = [{"Name": name, "Value": of} for name, of in under.items()]
    point = {"MetricName": metric, "Dimensions": dimensions, "Timestamp": at, "Value": value}
    spaces = {"FunctionName": "Lambda", "TableName": "DynamoDB", "LogGroupName": "Logs"}
    space = next((spaces[name] for name in under if name in spaces), "S3")
    boto3.client("cloudwatch").put_metric_data(Namespace=f"AWS/{space}", MetricData=[point])


def stored(bucket: str, at: datetime, gb: float) -> None:
    under = {"BucketName": bucket, "StorageType": "StandardStorage"}
    used("BucketSizeBytes", at, gb * 1024**3, **under)


def document_of(s3: Any, reply: dict[str, Any]) -> dict[str, Any]:
    key = reply["uris"]["json"].removeprefix("s3://reports/")
    found: dict[str, Any] = json.loads(s3.get_object(Bucket="reports", Key=key)["Body"].read())
    return found


INSIDE = datetime(2026, 11, 23, 10, 20, tzinfo=UTC)  # of the day before the evening
OUTSIDE = datetime(2026, 11, 22, 10, 20, tzinfo=UTC)


def test_the_controllers_own_usage_of_the_period_is_counted(s3: Any) -> None:
    fill()
    for at in (INSIDE, OUTSIDE):
        for name, ms in (("reconcile", 4_000), ("dispatch-requests", 10_000)):
            used("Invocations", at, 20, FunctionName=f"stack-{name}")
            used("Duration", at, ms, FunctionName=f"stack-{name}")
        used("ConsumedWriteCapacityUnits", at, 7, TableName="table")
        used("IncomingBytes", at, 1024**3 / 4, LogGroupName="/aws/lambda/stack-reconcile")
    used("Invocations", INSIDE, 999, FunctionName="other-reconcile")
    stored("weights", datetime(2026, 11, 21, tzinfo=UTC), 30)  # older than the period's own
    stored("weights", datetime(2026, 11, 23, tzinfo=UTC), 16)
    stored("results", datetime(2026, 11, 21, tzinfo=UTC), 2)  # the last there is
    document = document_of(s3, written({"period": "day"}))
    lines = {line["item"]: line for line in document["controller"]["lines"]}
    counts = {item: float(line["count"]) for item, line in lines.items()}
    assert counts["Lambda requests"] == 40
    assert counts["Lambda GB-seconds"] == 4 * 0.5 + 10
    assert counts["DynamoDB write units"] == 7
    assert counts["CloudWatch alarms"] == 4 + 2 * len(fleet_books().records)
    assert counts["Logs, GB"] == 0.25
    assert counts["S3 storage, GB"] == 16 + 2
    assert counts["Secrets"] == 2
    assert float(document["controller"]["total_usd"]) > 0
    assert not any("usage was not counted" in note for note in document["notes"])


@pytest.mark.parametrize("minutes", [5, 25])  # of the evening's hour, which is at 05:05 now
def test_the_usage_of_a_stacks_first_hour_is_counted_before_it_is_over(
    s3: Any, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """`all` begins with the first wish and ends now: here neither before nor after it lies the
    middle of an hour. What an hour has belongs to it as its requests do: if it touches the hour."""
    born, now = Evening().now().replace(minute=0), Evening().now().replace(minute=minutes)
    monkeypatch.setattr(Evening, "now", lambda _: now)
    TableStore("table").create(spec("young"), asleep("young", at=now, created_at=born))
    used("Invocations", now, 3, FunctionName="stack-reconcile")
    used("Duration", now, 4_000, FunctionName="stack-reconcile")
    used("IncomingBytes", now, 1024**3 / 4, LogGroupName="/aws/lambda/stack-reconcile")
    controller = document_of(s3, written({"period": "all"}))["controller"]
    lines = {line["item"]: line for line in controller["lines"]}
    assert float(lines["Lambda requests"]["count"]) == 3
    assert float(lines["Lambda GB-seconds"]["count"]) == 2
    assert float(lines["Logs, GB"]["count"]) == 0.25
    assert controller["unknown"] == ["S3 storage, GB"]


def test_everything_of_a_stack_without_endpoints_is_of_no_time_and_nothing(s3: Any) -> None:
    used("Invocations", Evening().now(), 3, FunctionName="stack-reconcile")
    controller = document_of(s3, written({"period": "all"}))["controller"]
    assert float(controller["total_usd"]) == 0


def test_with_all_of_it_known_the_net_savings_are_a_figure(s3: Any) -> None:
    fill()
    used("IncomingBytes", INSIDE, 5_000, LogGroupName="/aws/lambda/stack-reconcile")
    stored("weights", datetime(2026, 11, 23, tzinfo=UTC), 16)
    reply = written({"period": "day"})
    document = document_of(s3, reply)
    assert document["controller"]["unknown"] == []
    known = {line["known"] for line in document["controller"]["lines"]}
    assert known == {"counted", "estimated"}
    net = Decimal(reply["saved_usd"]) - Decimal(reply["controller_usd"])
    assert Decimal(reply["net_saved_usd"]) == pytest.approx(net, abs=Decimal("1e-5"))
    assert document["net_savings_usd"] == reply["net_saved_usd"]


def test_a_stack_that_is_younger_than_the_period_costs_from_its_first_call_on(s3: Any) -> None:
    fill()
    used(
        "Invocations", datetime(2026, 11, 23, 17, 20, tzinfo=UTC), 1, FunctionName="stack-reconcile"
    )
    stored("weights", datetime(2026, 11, 23, tzinfo=UTC), 16)
    document = document_of(s3, written({"period": "day"}))
    counts = {line["item"]: line["count"] for line in document["controller"]["lines"]}
    assert float(counts["Secrets"]) == 2 * 6 / 24, "the day in Berlin ends at 23:00 UTC"
    assert float(counts["S3 storage, GB"]) == 16 * 6 / 24


def test_a_period_before_there_was_a_stack_has_no_cost_of_the_controller(s3: Any) -> None:
    used("Invocations", INSIDE, 20, FunctionName="stack-reconcile")
    document = document_of(s3, written({"period": "day", "date": "2026-11-10"}))
    assert {line["item"]: line["count"] for line in document["controller"]["lines"]} != {}
    assert float(document["controller"]["total_usd"]) == 0


def test_what_cloudwatch_has_no_value_of_is_unknown_and_the_net_savings_a_bound(s3: Any) -> None:
    fill()
    reply = written({"period": "day"})
    document = document_of(s3, reply)
    assert document["controller"]["unknown"] == ["Logs, GB", "S3 storage, GB"]
    assert reply["net_saved_usd"] is None and reply["net_saved_at_most_usd"] is not None
    assert any(note.endswith("not known: Logs, GB, S3 storage, GB.") for note in document["notes"])


@pytest.mark.parametrize("order", [{}, {"period": "year"}, {"period": "day", "colour": "red"}])
def test_an_order_that_makes_no_sense_is_refused(s3: Any, order: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        written(order)


def test_what_the_sweep_saw_beyond_the_ledger_stands_in_the_notes(s3: Any) -> None:
    moment = datetime(2026, 11, 24, 4, tzinfo=UTC)
    memory = Memory(swept_at=moment, usd_per_hour=Decimal("1.5"), unpriced=1)
    TableMemory("table").save(memory)
    assert TableMemory("table").load() == memory
    key = written({"period": "day"})["uris"]["json"].removeprefix("s3://reports/")
    notes = json.loads(s3.get_object(Bucket="reports", Key=key)["Body"].read())["notes"]
    assert notes[0].startswith("Not in these figures: instances that belong to no endpoint")
    assert "at $1.50 an hour; the price of 1 is not known" in notes[0]


def with_bill(monkeypatch: pytest.MonkeyPatch, *groups: dict[str, Any]) -> None:
    """Cost Explorer has these lines; moto answers a question with them, once."""
    monkeypatch.setenv("RECONCILE", "cost-explorer")
    reporting._settings.cache_clear()
    day = {"TimePeriod": {"Start": "2026-11-16", "End": "2026-11-17"}, "Groups": list(groups)}
    answer = {"ResultsByTime": [{**day, "Estimated": False}]}
    requests.post(
        "http://motoapi.amazonaws.com/moto-api/static/ce/cost-and-usage-results",
        json={"results": [answer]},
        timeout=5,
    )


def billed(endpoint: str, usd: str) -> dict[str, Any]:
    amount = {"Amount": usd, "Unit": "USD"}
    names = ("UnblendedCost", "AmortizedCost", "UsageQuantity")
    return {
        "Keys": [f"autoscaler:endpoint${endpoint}", "EUC1-Host:ml.g6e.xlarge"],
        "Metrics": dict.fromkeys(names, amount),
    }


def test_a_week_that_is_known_is_laid_beside_the_bill(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    monkeypatch.setattr(Evening, "now", lambda _: datetime(2026, 11, 27, 6, 20, tzinfo=UTC))
    with_bill(monkeypatch, billed("deepseek-r1-distill-llama-8b", "90.25"))
    reply = written({"period": "week", "closed": True})
    assert (reply["basis"], reply["billed_usd"]) == ("reconciled", "90.250000")
    folder = "reports/week/2026-11-16"
    body = s3.get_object(Bucket="reports", Key=f"{folder}/costs.json")["Body"].read()
    rows = {row["name"]: row for row in json.loads(body)["bill"]["endpoints"]}
    llama = rows["deepseek-r1-distill-llama-8b"]
    assert llama["billed_usd"] == "90.250000" and float(llama["estimated_usd"]) > 0
    page = s3.get_object(Bucket="reports", Key=f"{folder}/costs.html")["Body"].read().decode()
    assert "What AWS billed" in page and "not reconciled" not in page
    assert s3.get_object(Bucket="reports", Key=f"{folder}/bill.json")
    again = written({"period": "week", "closed": True})
    assert again["billed_usd"] == "90.250000", "moto had one answer: the second one was kept"


def test_a_week_that_the_bill_cannot_know_yet_says_so(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    with_bill(monkeypatch, billed("deepseek-r1-distill-llama-8b", "90.25"))
    reply = written({"period": "week"})
    assert (reply["basis"], reply["billed_usd"]) == ("estimated", None)
    key = "reports/week/2026-11-16/costs.json"
    notes = json.loads(s3.get_object(Bucket="reports", Key=key)["Body"].read())["notes"]
    assert any(note.startswith("Not reconciled yet") for note in notes)


def test_closed_is_the_last_one_that_a_bill_knows_whole(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    with_bill(monkeypatch)
    reply = written({"period": "week", "closed": True})
    assert reply["first_day"] == "2026-11-09", "on Tuesday the 24th last week is not known"
    assert (reply["basis"], reply["billed_usd"]) == ("estimated", None), "nothing is not $0"
    key = "reports/week/2026-11-09/costs.json"
    notes = json.loads(s3.get_object(Bucket="reports", Key=key)["Body"].read())["notes"]
    assert "knows nothing with the tag autoscaler:stack = stack" in notes[0]


def test_nobody_is_asked_unless_the_stack_is_told_to(s3: Any) -> None:
    fill()
    reply = written({"period": "week", "closed": True})
    assert reply["basis"] == "estimated"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="reports", Key="reports/week/2026-11-09/bill.json")


@pytest.fixture
def wasteful(s3: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """An endpoint that was kept warm for six requests now and then; returns what is announced from
    then on."""
    wanted = spec(scaling={"min_copies": 1, "max_copies": 1})
    created = datetime(2026, 11, 16, tzinfo=UTC)
    TableStore("table").create(wanted, asleep(wanted.name, created_at=created))
    for hour in (6, 13, 20):
        asked(boto3.client("cloudwatch"), wanted.name, datetime(2026, 11, 23, hour, tzinfo=UTC), 6)
    events, announced = client("events"), []
    put = events.put_events

    def noting(**given: Any) -> Any:
        announced.extend(json.loads(one["Detail"]) for one in given["Entries"])
        return put(**given)

    monkeypatch.setattr(events, "put_events", noting)
    return announced


def test_the_scheduled_report_of_a_week_has_the_changes_that_would_save_most(
    s3: Any, wasteful: list[dict[str, Any]]
) -> None:
    reply = written({"period": "week", "advice": True})
    (sentence,) = reply["advice"]
    assert sentence.startswith("llama: scaling.min_copies: 1 → 0 would have saved $")
    assert [one["advice"] for one in wasteful] == [[sentence]], "Slack has it from the event"
    assert document_of(s3, reply)["advice"][0]["sentence"] == sentence


def test_a_report_that_is_written_again_keeps_them_and_only_an_order_looks_for_them(
    s3: Any, wasteful: list[dict[str, Any]]
) -> None:
    assert written({"period": "week"})["advice"] == []
    (sentence,) = written({"period": "week", "advice": True})["advice"]
    again = written({"period": "week"})
    assert again["advice"] == [sentence]
    assert document_of(s3, again)["advice"][0]["sentence"] == sentence


def test_without_time_for_it_the_report_is_written_and_says_so(
    s3: Any, wasteful: list[dict[str, Any]]
) -> None:
    reply = written({"period": "week", "advice": True}, minutes_left=1)
    assert reply["advice"] == []
    notes = document_of(s3, reply)["notes"]
    assert [note for note in notes if note.startswith("No advice for llama: there was no time")]
