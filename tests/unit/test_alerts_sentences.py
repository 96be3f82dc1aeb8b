"""What people read, word by word."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.events.base import Event, Severity
from autoscaler.alerts.events.costs import BudgetReached
from autoscaler.alerts.events.registry import EVENTS
from autoscaler.alerts.message import Message, message_of
from autoscaler.alerts.sentences.life import BECAUSE
from autoscaler.alerts.slack import payload
from autoscaler.alerts.wording import percent, share_of, spoken, usd
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import ReasonCode
from tests.alerts_events import AT, ONE_OF_EACH, WHO
from tools.receiver import validated

SENTENCES = {
    "EndpointCreated": (
        "llama is ready",
        "Its model gave the first answer 4 min 10 s after it was applied.",
    ),
    "WakeRequested": (
        "llama is waking",
        "1 copy asked for, because a request arrived. Expected to answer in 5 min.",
    ),
    "EndpointAwoke": (
        "llama is awake",
        "It answered 4 min 32 s after it was asked to wake, because a request arrived. 12 requests "
        "were waiting for it.",
    ),
    "EndpointSlept": (
        "llama is asleep",
        "It was awake for 35 min and went to sleep because nobody used it. Zero instances were "
        "seen: nothing of it is billed now.",
    ),
    "CopiesChanged": ("llama grows from 1 to 2 copies", "40 requests wait."),
    "BoundsChanged": (
        "llama may now use 1 to 2 copies",
        "Until now 0 to 2 copies. Window peak is in force.",
    ),
    "CapacityMissing": (
        "llama could not be woken",
        "Try 2 on ml.g6e.xlarge brought no answer: No capacity. Its requests wait. "
        "The next try is at 24 Nov 12:04 UTC.",
    ),
    "PhaseStuck": (
        "llama is stuck in SLEEPING",
        "For 30 min, longer than that may take. 1 instance billed meanwhile. Its last failure: "
        "AccessDenied: no. It is tried on; `autoscaler get llama` and its execution in Step "
        "Functions say where it stands.",
    ),
    "CopiesMissing": (
        "llama serves with fewer copies than it needs",
        "1 of 3 copies came up: No capacity. What does not come up is paid for, so that no more "
        "are asked for until 24 Nov 12:04 UTC.",
    ),
    "EndpointUpdated": (
        "llama is updated",
        "Its changed file is in place after 6 min 52 s, copy by copy.",
    ),
    "UpdateFailed": (
        "llama could not be updated",
        "Its container dies: a file is missing. It goes on as it was; mend its file and apply it "
        "again.",
    ),
    "EndpointFailed": (
        "llama failed while CREATING",
        "The container died. It answers nothing now: its requests wait in their queue, and what "
        "bills is removed. Mend the cause, then apply its file again.",
    ),
    "EndpointRetired": (
        "llama is retired",
        "Everything of it was seen gone. Its usage stays in the ledger.",
    ),
    "SleepStuck": (
        "llama does not get to zero",
        "2 instances seen 24 min after it was put to sleep: what is there is billed, and nobody "
        "wants it. It is tried again by itself; if it goes on, delete the endpoint in SageMaker.",
    ),
    "WakeDelayed": (
        "llama has to wait before it wakes",
        "Its 96 wakes of the day are spent. It wakes again after 24 Nov 12:04 UTC; a hold wakes "
        "it now, and budget.wakes_per_day in its file sets the limit.",
    ),
    "RequestAnswered": (
        "llama answered a request",
        "Request r1 waited 3 s: s3://b/results/r1",
    ),
    "RequestWaited": (
        "llama has requests waiting",
        "One waited 12 s although it is awake: it is looked at now.",
    ),
    "RequestRefused": (
        "llama cannot answer a request",
        "Request r2: the message is not JSON. It lies in the dead-letter queue.",
    ),
    "SignalMissing": (
        "llama is missing a signal",
        "ConcurrentRequestsPerCopy does not arrive. It is never taken for zero: what needs it "
        "stays as it is, and may bill for longer than it is used.",
    ),
    "BudgetReached": (
        "llama has spent 80 % of its budget",
        "$80.00 of $100.00 are spent in 2026-11.",
    ),
    "WakePutDown": (
        "llama was put down before it was awake",
        "$20.88 of $20.00 would be spent today if all instances that were asked for had come: it "
        "goes to zero, or stays there, and only what comes counts.",
    ),
    "ForecastExceeded": (
        "llama will probably exceed its budget",
        "$60.00 are spent in 2026-11, and with what such days cost lately it will be about "
        "$130.00 of $100.00. Nothing is done about it: a higher budget, fewer copies or shorter "
        "windows would.",
    ),
    "ForecastRecovered": (
        "llama will probably keep to its budget",
        "About $90.00 of $100.00 are expected now.",
    ),
    "StopSet": (
        "Everything is stopped",
        "Ann: a leaked key. It goes to zero now, and nothing wakes until `autoscaler start`. "
        "Requests stay in their queues (SQS keeps them 14 days; after 13 they are refused with "
        "this as the reason).",
    ),
    "StopEnded": (
        "Everything may wake again",
        "Ann ended the stop after 30 min. What has requests waiting wakes with the next look. "
        "Still stopped on their own: llama.",
    ),
    "RunawayStopped": (
        "llama ran away and was stopped",
        "It was started 13 times within an hour, and 12 times is the most. It goes to zero and "
        "does not wake until `autoscaler start llama`: look first at what drives it. Requests "
        "stay in their queues (SQS keeps them 14 days; after 13 they are refused with this as the "
        "reason).",
    ),
    "ObservingBegan": (
        "The stack only observes",
        "Everything is decided, told and priced, and no endpoint is changed: what is awake stays "
        "awake, what sleeps is not woken, and its requests wait. Deploy the stack with Mode=act "
        "to let it act.",
    ),
    "ObservingEnded": (
        "The stack acts again",
        "It observed for 2 d 4 h. What it decided meanwhile would have saved about $61.40. From "
        "now on it is done.",
    ),
    "ChangeWithheld": (
        "llama would go to sleep now",
        "No request for 12m. Nothing is changed: the stack only observes.",
    ),
    "HoldSet": ("llama is held by Ann", "At least 1 copy until 24 Nov 12:04 UTC: a demo"),
    "HoldEnded": ("The hold on llama has ended", "It expired. The policy decides again."),
    "OverrideSet": (
        "llama is put to sleep by Ann",
        "Until 24 Nov 12:04 UTC: no budget. Requests wait until then.",
    ),
    "OverrideEnded": (
        "llama may scale in again",
        "Ann released it. The policy decides again.",
    ),
    "PricesStale": (
        "The prices of eu-west-1 could not be read",
        "Costs are reckoned with the bundled table's until it can be read again; "
        "`pricing:GetProducts` may be denied (AccessDenied: no).",
    ),
    "OrphansFound": (
        "Something in the account belongs to no endpoint",
        "1 resource of no endpoint, for $1.86 an hour and at most $93.05 until now; the price of "
        "1 is not known. `autoscaler sweep` shows them; what is marked deletable goes when two "
        "sweeps have seen it.",
    ),
    "ScalingMissing": (
        "llama is awake without all of its scaling",
        "A scaling policy or its alarm could not be put: AccessDenied: it may not put an alarm. "
        "Ticks scale it all the same, once a minute, and its next wake puts what is missing. Mend "
        "the cause.",
    ),
    "RoundFailed": (
        "sweep-account does not work",
        "It failed in 3 tries: KeyError: 'Name'. Until it works again nobody looks for machines "
        "that no endpoint owns.",
    ),
    "GapFound": ("llama has no reader", "Nobody reads it. `aws lambda x`"),
    "OrphanRemoved": (
        "The sweep removed the endpoint prod-lost",
        "It belonged to no endpoint, was marked deletable, and two sweeps had seen it.",
    ),
    "ReportWritten": (
        "Cost of 23 November 2026: $12.35",
        "Always on would have cost $60.00: $47.65 (79 %) saved. All figures are estimated. "
        "s3://reports/reports/day/2026-11-23/costs.html",
    ),
}


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_the_sentence_of_every_event(event: Event) -> None:
    message = message_of(event)
    assert (message.title, message.body) == SENTENCES[event.detail_type]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_slack_takes_every_event(event: Event) -> None:
    import json

    assert validated(json.dumps(payload(message_of(event))).encode())


def test_every_cause_has_its_words() -> None:
    assert set(BECAUSE) == set(Cause)


def report(**changes: Any) -> Event:
    fields = {
        **WHO,
        "uri": "s3://r/x.html",
        "period": "May 2026",
        "cost_usd": 12,
        "baseline_usd": 10,
        "saved_usd": -2,
    }
    return EVENTS["ReportWritten"].model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"saves_usd_per_hour": Decimal("1.861")}, (("Would save", "$1.86 an hour"),)),
        ({"saves_usd_per_hour": Decimal(-3)}, (("Would cost", "$3.00 an hour"),)),
        ({"saves_usd_per_hour": None}, (("Price", "not known"),)),
        (
            {"saves_usd_per_hour": Decimal(0), "saved_usd": Decimal("4.2")},
            (("The sleep before would have saved", "$4.20"),),
        ),
    ],
)
def test_what_is_withheld_has_its_price_beside_it(fields: dict[str, Any], facts: Any) -> None:
    one = EVENTS["ChangeWithheld"].model_validate(
        {**WHO, "would": "resize", "before": 1, "after": 2, **fields}
    )
    message = message_of(one)
    assert message.title == "llama would have 2 instead of 1 copy"
    assert message.facts == facts


def test_savings_that_are_negative_are_said_so() -> None:
    assert message_of(report()).body.startswith("That is $2.00 more than always on.")


def test_savings_that_are_not_known_are_said_so() -> None:
    body = message_of(report(baseline_usd=None, saved_usd=None)).body
    assert body.startswith("What always-on would have cost is not known")


def test_a_cost_without_some_price_is_told_as_a_lower_bound() -> None:
    line = {"endpoint": "llama", "cost_usd": 12, "saved_usd": None, "wakes": 1, "requests": 2}
    told = message_of(
        report(
            saved_usd=None,
            unpriced_hours=3.5,
            unpriced_types=["ml.new.xlarge"],
            lines=[{**line, "at_least": True}],
        )
    )
    assert told.title == "Cost of May 2026: at least $12.00"
    assert told.body.startswith(
        "Always on would have cost $10.00. The price of ml.new.xlarge is not known: 3.50 "
        "instance-hours are in no dollar figure, and what was saved is not known."
    )
    assert told.facts[0][1].startswith("at least $12.00, saved not known")


def test_a_report_of_many_endpoints_names_the_dearest_and_sums_the_rest() -> None:
    lines = [
        {"endpoint": f"e{n}", "cost_usd": n, "saved_usd": None, "wakes": 0, "requests": 0}
        for n in range(14)
    ]
    facts = message_of(report(lines=lines)).facts
    assert facts[0] == ("e13", "$13.00, saved not known; 0 wakes, 0 requests")
    assert facts[-1] == ("5 others", "$10.00") and len(facts) == 10


def test_orphans_are_named_with_instances_price_and_age_and_the_rest_is_counted() -> None:
    line = {"kind": "endpoint", "name": "x", "instances": {"ml.g6e.xlarge": 2}, "since": AT}
    fields = {"at": AT, "usd_per_hour": 0, "usd_so_far": 0, "unpriced": 12, "lines": [line] * 12}
    message = message_of(EVENTS["OrphansFound"].model_validate(fields))
    dear = ("endpoint x", "2 × ml.g6e.xlarge, price not known, since 24 Nov 12:00 UTC")
    assert message.facts[0] == dear
    assert message.facts[-1] == ("3 others", "see `autoscaler sweep`")
    many = message_of(EVENTS["OrphansFound"].model_validate({**fields, "others": 1_100}))
    assert many.facts[-1] == ("1,103 others", "see `autoscaler sweep`")
    assert many.body.startswith("1,112 resources of no endpoint")
    assert message.severity == "critical", "instances of nobody are billed"


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Decimal("1234.5"), "$1,234.50"),
        (Decimal("-0.42"), "−$0.42"),
        (Decimal("0.0031"), "$0.0031"),
        (Decimal("0.00001"), "<$0.0001"),
        (Decimal("0"), "$0.00"),
        (Decimal("0.09994"), "$0.0999"),
        (Decimal("0.09996"), "$0.10"),
        (Decimal("-0.09995"), "−$0.10"),
        (Decimal("0.1"), "$0.10"),
        (None, "not known"),
    ],
)
def test_money(money: Decimal | None, text: str) -> None:
    assert usd(money) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min"), (272, "4 min 32 s"), (3600, "1 h"), (187_200, "2 d 4 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (-0.45, "−45 %"),
        (-0.051, "−5.1 %"),
        (0.051, "5.1 %"),
        (0.57, "57 %"),
        (0.987, "99 %"),
        (0.995, "99 %"),
        (899.7 / 900, "99 %"),
        (1 - 1e-12, "99 %"),
        (1, "100 %"),
        (1.016, "102 %"),
    ],
)
def test_what_is_not_the_whole_is_not_100_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_share_of_nothing_is_not_said() -> None:
    assert share_of(Decimal(1), Decimal(0)) == "" and share_of(None, Decimal(1)) == ""


def test_a_message_is_one_line_for_logs() -> None:
    message = replace(message_of(ONE_OF_EACH[8]), body="Gone.")
    assert message.fallback == "llama is retired. Gone."


def reached(**changes: Any) -> Message:
    figures = {"spent_usd": 10, "monthly_usd": 10, "share": 1, **changes}
    return message_of(BudgetReached.model_validate({**WHO, **figures}))


def test_a_spent_budget_says_what_follows_and_until_when() -> None:
    slept = reached(when_spent="sleep", per="day")
    assert slept.title == "llama has spent 100 % of its budget for the day"
    assert "It sleeps from now on, and its requests wait, until 25 Nov 00:00 UTC" in slept.body
    assert "after 13 they are refused" in slept.body
    assert "one copy at most" in reached(when_spent="cap").body
    assert "Each endpoint has one copy at most" in reached(endpoint="").body
    assert "from now on" not in reached(share=0.8).body


def test_a_budget_of_which_cents_are_left_is_not_called_spent() -> None:
    left = reached(spent_usd="899.70", monthly_usd=900, share=899.7 / 900)
    assert left.title == "llama has spent 99 % of its budget"
    assert "$899.70 of $900.00 are spent" in left.body and "from now on" not in left.body


def test_while_the_kill_switch_is_on_every_message_says_so() -> None:
    event = ONE_OF_EACH[0].model_copy(update={"stopped": "Everything is stopped since noon"})
    assert message_of(event).context.endswith(" · Everything is stopped since noon")


def test_a_closed_window_is_told_by_its_name_and_as_no_trouble() -> None:
    (plain,) = (event for event in ONE_OF_EACH if event.detail_type == "WakeDelayed")
    changes = {"reason": ReasonCode.REQUESTS_HELD_BACK, "window": "night"}
    closed = plain.model_copy(update=changes)
    assert closed.severity is Severity.INFO
    assert message_of(closed).body == (
        "Window night has max_copies 0: requests wait until 24 Nov 12:04 UTC, when it is awake for "
        "them. A hold or keep-warm wakes it now."
    )
