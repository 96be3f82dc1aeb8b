"""Groups, digests, links into the console, charts."""

from __future__ import annotations

import json
import re
import struct
import zlib

import pytest

from autoscaler.alerts.chart import WIDTH, text_bars
from autoscaler.alerts.console import Console
from autoscaler.alerts.events.base import Event, Severity
from autoscaler.alerts.events.costs import ReportWritten
from autoscaler.alerts.events.life import EndpointAwoke, EndpointFailed, EndpointSlept
from autoscaler.alerts.grouping import _PLURALS, digest, grouped
from autoscaler.alerts.message import message_of
from autoscaler.alerts.picture import HEIGHT, picture, scale
from autoscaler.alerts.picture import WIDTH as PICTURE_WIDTH
from autoscaler.alerts.sentences.base import Bars
from autoscaler.alerts.slack import payload
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from tests.alerts_events import AT, LATER, ONE_OF_EACH, WHO, report
from tools.receiver import validated

BY_NAME = {event.detail_type: event for event in ONE_OF_EACH}
CONSOLE = Console("aws", "eu-west-1", "123456789012", "prod")


def several(kind: str, count: int) -> list[Event]:
    return [BY_NAME[kind].model_copy(update={"endpoint": f"e{n:02}"}) for n in range(count)]


# -------------------------------------------------------------------------------------- grouping
def test_one_is_told_as_itself() -> None:
    assert grouped([BY_NAME["EndpointAwoke"]]) == message_of(BY_NAME["EndpointAwoke"])


@pytest.mark.parametrize("kind", sorted(_PLURALS))
def test_slack_takes_a_group_of_each_kind(kind: str) -> None:
    message = grouped(several(kind, 40))
    assert message.title == f"40 {_PLURALS[kind]}"
    assert bool(re.search("… and [23]", message.body)) is (message.severity is not Severity.INFO)
    assert all(f"e{n:02}" in payload(message)["text"] for n in range(40)), "none is cut off"
    assert validated(json.dumps(payload(message)).encode())


def test_a_group_of_news_is_names_with_their_figure_and_the_cause_that_all_share() -> None:
    assert grouped(several("EndpointAwoke", 2)).body == (
        "e00 (4 min 32 s), e01 (4 min 32 s)\nEach because a request arrived."
    )
    assert grouped(several("EndpointAwoke", 45)).body.count("e4") == 0
    assert grouped(several("EndpointAwoke", 45)).body.endswith(
        "e39 and 5 more\nEach because a request arrived. Lead times 4 min 32 s to 4 min 32 s."
    )
    mixed = [
        BY_NAME["WakeRequested"],
        BY_NAME["WakeRequested"].model_copy(update={"endpoint": "other", "cause": Cause.WINDOW}),
    ]
    assert grouped(mixed).body == "llama (in 5 min), other (in 5 min)"


def test_a_kind_without_a_plural_is_counted_by_its_name() -> None:
    assert "PhaseStuck" not in _PLURALS
    assert grouped(several("PhaseStuck", 3)).title == "3 endpoints: phase stuck"


def test_the_same_endpoint_several_times_is_said_so() -> None:
    moved = BY_NAME["CopiesChanged"]
    assert grouped([moved, moved]).title == "2 times: llama grows from 1 to 2 copies"
    two = [moved, moved, moved.model_copy(update={"endpoint": "other"})]
    assert grouped(two).title == "2 endpoints changed their copies (3 times)"


def test_a_digest_has_a_line_for_each_kind() -> None:
    events = [*several("EndpointAwoke", 14), *several("EndpointSlept", 2), BY_NAME["HoldSet"]]
    message = digest(events)
    assert message.title == "While it was quiet: 17 messages"
    first, second, third = message.body.split("\n")
    assert first.startswith("• *14 endpoints are awake*: e00, e01") and first.endswith("and 2 more")
    assert second == "• *2 endpoints are asleep*: e00, e01"
    assert third == "• llama is held by Ann, at 24 Nov 12:00 UTC"


# ------------------------------------------------------------------------------------- sentences
def test_a_sleep_says_what_was_saved_so_far_and_an_older_event_says_nothing_of_it() -> None:
    slept = EndpointSlept(
        **WHO, awake_seconds=60, reason=Cause.IDLE, cost_usd="1", saved_usd="31.5"
    )
    assert ("Saved this month", "$31.50") in message_of(slept).facts
    assert "Saved" not in str(message_of(BY_NAME["EndpointSlept"]).facts)


def test_whose_it_is_stands_below() -> None:
    awoke = EndpointAwoke(
        **WHO, cause=Cause.MESSAGE, copies=1, lead_seconds=9, team="research", backlog=1
    )
    message = message_of(awoke)
    assert "research" in message.context and "1 request was waiting for it." in message.body


# ----------------------------------------------------------------------------------------- links
def failed(**more: object) -> EndpointFailed:
    return EndpointFailed(**WHO, failed_in=Phase.CREATING, failure="No.", **more)


def test_a_failure_links_to_what_ran_and_to_what_the_container_said() -> None:
    (what, ran), (_, logs) = message_of(failed(execution="llama-6"), CONSOLE).links
    assert what == "Execution llama-6"
    assert ran == (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/"
        "details/arn:aws:states:eu-west-1:123456789012:execution:prod-deploy-endpoint:llama-6"
    )
    assert logs.endswith("#logsV2:log-groups$3FlogGroupNameFilter$3Dprod-llama")


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "us-east-1", "us-east-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_links_lead_into_the_stacks_partition(partition: str, region: str, host: str) -> None:
    console = Console.of(f"arn:{partition}:states:{region}:123456789012:stateMachine:prod-", "prod")
    assert console.execution("wake-endpoint", "llama-7").startswith(f"https://{host}/states/home")
    assert f":{region}:" in console.execution("wake-endpoint", "llama-7")
    assert console.function_log("reconcile").endswith(
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fprod-reconcile"
    )


def test_a_link_that_does_not_fit_is_left_out_whole() -> None:
    message = message_of(failed(execution="x" * 3000), CONSOLE)
    text = json.dumps(payload(message))
    assert "Container logs" in text and "executions" not in text
    assert validated(json.dumps(payload(message)).encode())


# ---------------------------------------------------------------------------------------- charts
BARS = Bars("Cost", ("Mon", "Tue", "Wed"), (("a", (10.0, 5.0, 0.0)), ("b", (10.0, 0.0, 0.01))))


def test_bars_of_text_are_as_long_as_what_they_show() -> None:
    first, second, third = text_bars(BARS).split("\n")
    assert first == f"Mon  $20.00 {'█' * WIDTH}"
    assert second == f"Tue   $5.00 {'█' * (WIDTH // 4)}"
    assert third == "Wed $0.0100 ▏"  # a little is not nothing


def test_a_webhook_gets_the_chart_as_text() -> None:
    blocks = payload(message_of(report()))["attachments"][0]["blocks"]
    (chart,) = [block for block in blocks if block.get("block_id") == "chart"]
    assert "*Cost of 16 to 22 November 2026 by team*\n```\nMon 16" in chart["text"]["text"]


def test_a_label_cannot_end_the_fence() -> None:
    bars = Bars("Cost", ("```<!channel>", "b"), (("dollars", (1.0, 2.0)),))
    message = message_of(report())
    object.__setattr__(message, "bars", bars)
    text = json.dumps(payload(message))
    assert "<!channel>" not in text and text.count("```") == 2


def test_an_older_report_is_drawn_by_endpoint_and_one_bar_is_none() -> None:
    by_endpoint = message_of(report(days=())).bars
    assert by_endpoint and by_endpoint.labels == (
        "llama-3-70b",
        "search-embeddings",
        "support-bot",
    )
    assert message_of(BY_NAME["ReportWritten"]).bars is None


def test_days_without_teams_are_drawn_as_they_are() -> None:
    days = tuple(day.model_copy(update={"teams": {}}) for day in report().days)
    bars = message_of(report(days=days)).bars
    assert bars and bars.title == "Cost of 16 to 22 November 2026"
    assert bars.totals == pytest.approx(message_of(report()).bars.totals)


def pixels(png: bytes) -> list[bytes]:
    """The rows of an 8-bit RGB picture without filters, its checksums checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(data), 3 * PICTURE_WIDTH + 1
    rows = [raw[y * stride : (y + 1) * stride] for y in range(HEIGHT)]
    assert all(row[0] == 0 for row in rows)
    return [row[1:] for row in rows]


def test_the_pictures_bars_are_as_high_as_what_they_show() -> None:
    rows = pixels(picture(BARS))
    blue, orange = bytes((0, 114, 178)), bytes((230, 159, 0))
    height = HEIGHT - 150 - 70  # of $20, the scale's top
    heights = {
        # below the legend, at the middle of each bar's slot
        (colour, x): sum(row[3 * x : 3 * x + 3] == colour for row in rows[140:])
        for colour in (blue, orange)
        for x in (110 + 175, 110 + 525)
    }
    half, quarter = height / 2, height / 4
    wanted = {(blue, 285): half, (orange, 285): half, (blue, 635): quarter, (orange, 635): 0}
    assert heights == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 1), (0.003, 0.005), (0.02, 0.02), (1, 1), (1.01, 2), (21, 25), (26, 50), (7e4, 1e5)],
)
def test_the_scale_ends_at_a_round_figure(highest: float, top: float) -> None:
    assert scale(highest) == pytest.approx(top)


@pytest.mark.parametrize(
    "bars",
    [
        Bars("Nothing", (), ()),
        Bars("Nothing yet", ("Mon",), (("a", (0.0,)),)),
        Bars("x" * 300, ("é" * 40,) * 31, tuple((f"team {n}" * 9, (1.0,) * 31) for n in range(20))),
    ],
)
def test_a_picture_can_be_made_of_anything(bars: Bars) -> None:
    assert len(pixels(picture(bars))) == HEIGHT


def test_old_reports_are_still_read() -> None:
    detail = json.loads(report().model_dump_json())
    del detail["days"], detail["team"]
    assert ReportWritten.model_validate(detail) == report(days=())


def test_times_in_a_group_span_from_the_first_to_the_last() -> None:
    early = BY_NAME["EndpointAwoke"]
    late = early.model_copy(update={"endpoint": "other", "at": LATER})
    assert grouped([late, early]).context.endswith("24 Nov 12:00 UTC to 24 Nov 12:04 UTC")
    assert AT < LATER


def test_of_many_bars_of_text_the_newest_are_shown_and_the_others_summed() -> None:
    labels = tuple(f"day {number}" for number in range(1, 63))
    first, *shown = text_bars(Bars("Cost", labels, (("dollars", (1.0,) * 62),))).split("\n")
    assert first == "31 earlier: $31.00"
    assert len(shown) == 31 and shown[-1].startswith("day 62")


def test_of_a_large_group_slack_shows_as_many_as_it_says() -> None:
    many = [
        BY_NAME["ForecastExceeded"].model_copy(
            update={"endpoint": f"a-long-name-of-{n:03}-{'x' * 40}"}
        )
        for n in range(40)
    ]
    (details,) = payload(grouped(many))["attachments"]
    shown = details["blocks"][0]["text"]["text"]
    told = {n for n in range(40) if f"-of-{n:03}-" in shown}
    assert not shown.endswith("…")
    assert shown.endswith(f" and {40 - len(told)} others")


def test_a_night_of_every_kind_has_a_line_for_each() -> None:
    events = [
        event.model_copy(update={"endpoint": f"a-rather-long-name-{n:02}"})
        for event in ONE_OF_EACH
        for n in range(12)
    ]
    (details,) = payload(digest(events))["attachments"]
    shown = details["blocks"][0]["text"]["text"]
    assert shown.count("\n") + 1 == len({event.detail_type for event in events})
    assert not shown.endswith("…")


def test_who_cannot_rest_on_shared_machines_is_no_reason_to_delete_them() -> None:
    stuck = BY_NAME["SleepStuck"].model_copy(update={"endpoint": "chat", "shared": "small"})
    message = message_of(stuck, CONSOLE)
    assert "delete its inference component, not the endpoint small that others" in message.body
    assert message.links[0][1].endswith("#/endpoints/prod--small")
    own = message_of(stuck.model_copy(update={"shared": ""}), CONSOLE)
    assert own.body.endswith("delete the endpoint in SageMaker.")
    assert own.links[0][1].endswith("#/endpoints/prod-chat")


def test_the_stack_is_no_endpoint_and_has_its_name_in_a_group_and_in_a_digest() -> None:
    own = BY_NAME["BudgetReached"].model_copy(update={"endpoint": "llama"})
    other = own.model_copy(update={"endpoint": "other"})
    stack = own.model_copy(update={"endpoint": ""})
    told = "1 endpoint and the stack have passed a step of their budget"
    assert grouped([own, stack]).title == told
    assert digest([own, stack]).body == f"• *{told}*: the stack, llama"
    assert grouped([own, other, stack]).title.startswith("2 endpoints and the stack have passed")
    recovered = BY_NAME["ForecastRecovered"]
    both = [recovered.model_copy(update={"endpoint": name}) for name in ("llama", "")]
    assert grouped(both).title == "1 endpoint and the stack: forecast recovered"
    assert grouped(both).body == "the stack, llama"
