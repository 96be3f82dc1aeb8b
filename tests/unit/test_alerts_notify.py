"""Each event is told once; news are held and grouped; what could not be told stays."""

from __future__ import annotations

import json

import pytest

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.events.life import EndpointAwoke, SleepStuck
from autoscaler.alerts.notify import RetryLater, SinkRejectedError, Told, flush, notify
from autoscaler.alerts.secret import AlertConfig, read_config
from autoscaler.endpoints.status import Cause
from tests.alerts_events import AT, ONE_OF_EACH, WHO
from tests.alerts_office import GPU, DiedError, MemoryOffice

BY_NAME = {event.detail_type: event for event in ONE_OF_EACH}
STUCK, AWOKE, FAILED = BY_NAME["SleepStuck"], BY_NAME["EndpointAwoke"], BY_NAME["EndpointFailed"]


def awoke(name: str, generation: int = 7) -> Event:
    return EndpointAwoke(
        endpoint=name, generation=generation, at=AT, cause=Cause.WINDOW, copies=1, lead_seconds=300
    )


def night(**more: object) -> AlertConfig:
    quiet = {"time_zone": "Europe/Berlin", "from": "22:00", "to": "07:00", **more}
    return read_config(json.dumps({"token": "xoxb-1", "channel": "#gpu", "quiet_hours": quiet}))


def test_what_is_critical_is_told_at_once() -> None:
    world = MemoryOffice()
    assert notify(STUCK, world.office, "m1") is Told.SENT
    assert world.sink().titles == ["llama does not get to zero"]


def test_a_second_delivery_of_it_is_not_nor_a_second_one_of_the_same_message() -> None:
    world = MemoryOffice()
    notify(STUCK, world.office, "m1")
    assert notify(STUCK, world.office, "m2") is Told.REPEATED
    assert notify(STUCK, world.office, "m1") is Told.REPEATED
    assert len(world.sink().sent) == 1


def test_what_slack_did_not_take_is_told_by_the_next_delivery() -> None:
    world = MemoryOffice()
    world.sink().errors.append(RetryLater(30))
    with pytest.raises(RetryLater) as later:
        notify(STUCK, world.office, "m1")
    assert later.value.seconds == 30
    assert notify(STUCK, world.office, "m2") is Told.SENT


@pytest.mark.parametrize("step", ["marked", "keep"])
def test_a_message_whose_function_died_in_the_middle_is_told_when_it_comes_back(step: str) -> None:
    world = MemoryOffice()
    world.seen.dies_at = step
    with pytest.raises(DiedError):
        notify(STUCK, world.office, "m1")
    world.seen.dies_at = ""
    world.forward(seconds=360)
    assert notify(STUCK, world.office, "m1") is Told.SENT
    assert len(world.sink().sent) == (1 if step == "marked" else 2)  # told twice, never not at all


def test_one_that_died_for_good_and_was_redriven_under_a_new_id_is_told() -> None:
    world = MemoryOffice()
    world.seen.dies_at = "marked"
    with pytest.raises(DiedError):
        notify(STUCK, world.office, "m1")
    world.seen.dies_at = ""
    world.forward(hours=2)
    assert notify(STUCK, world.office, "another id") is Told.SENT


@pytest.mark.parametrize("where", ["held", "keep"])
def test_news_whose_function_died_while_they_were_put_aside_are_there_once(where: str) -> None:
    world = MemoryOffice()
    if where == "held":
        world.held.dies_at = where
    else:
        world.seen.dies_at = where
    with pytest.raises(DiedError):
        notify(AWOKE, world.office, "m1")
    world.held.dies_at = world.seen.dies_at = ""
    notify(AWOKE, world.office, "m1")
    world.forward(seconds=61)
    assert flush(world.office, "a minute").messages == 1 and world.sink().titles == [
        "llama is awake"
    ]


def test_what_was_told_and_cannot_be_removed_is_told_no_more() -> None:
    world = MemoryOffice()
    notify(AWOKE, world.office, "m1")
    world.forward(seconds=61)
    world.held.dies_at = "drop"
    for minute in range(3):
        with pytest.raises(DiedError):
            flush(world.office, f"minute {minute}")
        world.forward(seconds=60)
    notify(AWOKE.model_copy(update={"generation": 9}), world.office, "m2")
    world.held.dies_at = ""
    world.forward(seconds=61)
    done = flush(world.office, "the last")  # its like, which came meanwhile, is not taken for told
    assert (done.messages, done.events) == (1, 1)
    assert len(world.sink().sent) == 2 and world.held.items == {}


def test_a_flush_that_died_before_it_noted_tells_again_and_loses_nothing() -> None:
    world = MemoryOffice()
    notify(AWOKE, world.office, "m1")
    world.forward(seconds=61)
    world.seen.dies_at = "keep"
    with pytest.raises(DiedError):
        flush(world.office, "a minute")
    world.seen.dies_at = ""
    assert flush(world.office, "the next").messages == 1 and len(world.sink().sent) == 2
    assert flush(world.office, "the third").messages == 0 and world.held.items == {}


def test_what_could_not_be_told_for_ten_minutes_is_overdue() -> None:
    world = MemoryOffice()
    notify(AWOKE, world.office, "m1")
    world.sink().down = RuntimeError("out of order")
    world.forward(seconds=61)
    assert (done := flush(world.office, "a minute")).overdue == 0 and done.troubles
    world.forward(seconds=600)
    assert flush(world.office, "later").overdue == 1


def test_thirty_that_wake_together_are_one_message() -> None:
    world = MemoryOffice()
    for number in range(30):
        assert notify(awoke(f"llama-{number:02}"), world.office, f"m{number}") is Told.HELD
        world.forward(seconds=1)
    assert flush(world.office, "a minute").messages == 0  # the first has waited half a minute
    world.forward(seconds=30)
    assert flush(world.office, "a minute").events == 30
    (message,) = world.sink().sent
    assert message.title == "30 endpoints are awake"
    assert "llama-28, llama-29\nEach because its schedule" in message.body
    assert world.held.items == {}


def test_a_critical_one_does_not_wait_for_them() -> None:
    world = MemoryOffice()
    notify(awoke("a"), world.office, "m1")
    assert notify(FAILED, world.office, "m2") is Told.SENT
    assert world.sink().titles == ["llama failed while CREATING"]


def test_the_first_warning_goes_at_once_and_its_like_are_grouped() -> None:
    world = MemoryOffice()
    missing = BY_NAME["CapacityMissing"]
    ends = [
        notify(missing.model_copy(update={"endpoint": f"e{n}"}), world.office, f"m{n}")
        for n in range(4)
    ]
    assert ends == [Told.SENT, Told.HELD, Told.HELD, Told.HELD]
    world.forward(seconds=61)
    flush(world.office, "a minute")
    assert world.sink().titles == ["e0 could not be woken", "3 endpoints could not be woken"]


def test_without_grouping_everything_goes_at_once() -> None:
    world = MemoryOffice(AlertConfig(token="x", default=GPU, group_seconds=0))
    assert notify(AWOKE, world.office, "m1") is Told.SENT


def test_a_report_is_never_a_line_among_others() -> None:
    world = MemoryOffice()
    report = BY_NAME["ReportWritten"]
    assert notify(report, world.office, "m1") is Told.SENT
    world.configs.config = night()
    world.forward(hours=11)  # 23:00 UTC
    assert notify(report.model_copy(update={"at": world.now}), world.office, "m2") is Told.HELD
    notify(awoke("a"), world.office, "m3")
    notify(awoke("b"), world.office, "m4")
    world.forward(hours=8)
    flush(world.office, "a minute")
    assert world.sink().titles[1:] == ["Cost of 23 November 2026: $12.35", "2 endpoints are awake"]


def test_quiet_hours_hold_news_until_they_end_and_tell_one_digest() -> None:
    world = MemoryOffice(night())
    world.forward(hours=9, minutes=30)  # 22:30 in Berlin
    ends = [notify(event, world.office, f"m{n}") for n, event in enumerate(ONE_OF_EACH)]
    told_now = set(world.sink().titles)
    assert "llama failed while CREATING" in told_now and "llama could not be woken" in told_now
    assert "llama is awake" not in told_now
    world.forward(hours=8, minutes=29)  # 06:59
    assert flush(world.office, "a minute").messages == 0
    world.forward(minutes=1)
    before = len(world.sink().sent)
    flush(world.office, "a minute")
    titles = world.sink().titles[before:]
    digest = next(t for t in titles if t.startswith("While it was quiet"))
    body = next(m.body for m in world.sink().sent if m.title == digest)
    assert "llama is awake" in body and "The hold on llama has ended" in body
    assert ends.count(Told.HELD) == int(digest.split(": ")[1].split()[0]) + len(titles) - 1
    assert world.held.items == {}


def test_quiet_hours_may_let_through_only_what_is_critical() -> None:
    world = MemoryOffice(night(let_through="critical"))
    world.forward(hours=11)
    assert notify(BY_NAME["CapacityMissing"], world.office, "m1") is Told.HELD
    assert notify(FAILED, world.office, "m2") is Told.SENT


def test_what_was_held_before_the_quiet_hours_is_not_told_in_them() -> None:
    world = MemoryOffice(night())
    world.forward(hours=8, minutes=59, seconds=30)  # 21:59:30
    notify(AWOKE, world.office, "m1")
    world.forward(minutes=2)
    assert flush(world.office, "a minute").messages == 0 and len(world.held.items) == 1


def test_a_group_in_trouble_stays_held_and_the_others_are_told() -> None:
    config = read_config(
        json.dumps(
            {"token": "xoxb-1", "channel": "#gpu", "routes": [{"team": "a", "channel": "#a"}]}
        )
    )
    world = MemoryOffice(config)
    world.teams["theirs"] = "a"
    notify(awoke("theirs"), world.office, "m1")
    notify(awoke("llama"), world.office, "m2")
    world.sink("#a").down = RetryLater(5)
    world.forward(seconds=61)
    done = flush(world.office, "a minute")
    assert (done.messages, done.waiting, len(done.troubles)) == (1, 1, 1)
    world.sink("#a").down = None
    assert flush(world.office, "a minute").messages == 1 and world.sink("#a").titles == [
        "theirs is awake"
    ]


def test_two_places_are_told_each_once_although_one_is_busy() -> None:
    routes = [{"channel": "#oncall", "min_severity": "critical"}, {"channel": "#all"}]
    world = MemoryOffice(read_config(json.dumps({"token": "xoxb-1", "routes": routes})))
    world.sink("#oncall").errors.append(RetryLater(2))
    with pytest.raises(RetryLater):
        notify(FAILED, world.office, "m1")
    assert len(world.sink("#all").sent) == 1
    assert notify(FAILED, world.office, "m1") is Told.SENT
    assert len(world.sink("#all").sent) == 1 and len(world.sink("#oncall").sent) == 1


def test_single_answers_are_not_for_people() -> None:
    world = MemoryOffice()
    assert notify(BY_NAME["RequestAnswered"], world.office, "m1") is Told.NOT_FOR_PEOPLE
    assert world.sinks == {}


def test_a_stuck_sleep_is_remembered_for_an_hour() -> None:
    world = MemoryOffice()
    notify(STUCK, world.office, "m1")
    world.forward(minutes=59)
    again = SleepStuck(**{**WHO, "generation": 8}, instances=1, since_seconds=9)
    assert notify(again, world.office, "m2") is Told.REPEATED
    world.forward(minutes=1)
    assert notify(again, world.office, "m3") is Told.SENT


def test_a_message_that_slack_finds_malformed_is_no_reason_to_go_elsewhere() -> None:
    world = MemoryOffice()
    world.sink().down = SinkRejectedError("invalid_blocks", lasting=False)
    with pytest.raises(SinkRejectedError):
        notify(STUCK, world.office, "m1")
    assert world.last.sent == [] and world.configs.rereads == 0


def test_a_place_that_fails_in_a_way_nobody_foresaw_keeps_no_other_from_being_told() -> None:
    routes = [{"channel": "#oncall", "min_severity": "critical"}, {"channel": "#all"}]
    world = MemoryOffice(read_config(json.dumps({"token": "xoxb-1", "routes": routes})))
    world.sink("#oncall").down = OSError("the endpoint of SNS was not reached")
    with pytest.raises(OSError, match="not reached"):
        notify(FAILED, world.office, "m1")
    assert len(world.sink("#all").sent) == 1
