"""A place that takes nothing any more is noticed, and said elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.notify import SinkRejectedError, Told, flush, notify
from autoscaler.alerts.secret import AlertConfig, Place, read_config
from tests.alerts_events import ONE_OF_EACH
from tests.alerts_office import GPU, MemoryOffice, MemorySink

BY_NAME = {event.detail_type: event for event in ONE_OF_EACH}
FAILED, AWOKE = BY_NAME["EndpointFailed"], BY_NAME["EndpointAwoke"]
GONE = SinkRejectedError("Slack does not let the bot write into #gpu (is_archived): name another")


def failed(name: str) -> Event:
    return FAILED.model_copy(update={"endpoint": name})


def teams() -> MemoryOffice:
    routes = [{"team": "research", "channel": "#research"}]
    config = {"token": "xoxb-1", "channel": "#gpu", "routes": routes}
    world = MemoryOffice(read_config(json.dumps(config)))
    world.teams["llama"] = "research"
    return world


def test_a_rotated_place_is_found_by_reading_the_secret_anew() -> None:
    world = MemoryOffice()
    world.sink().down = GONE
    world.configs.fresh = AlertConfig(token="xoxb-1", default=Place(channel="#new"))
    assert notify(FAILED, world.office, "m1") is Told.SENT
    assert len(world.sink("#new").sent) == 1 and world.last.sent == []
    assert world.refusals == 0 and world.configs.rereads == 1


def test_a_new_token_for_the_same_channel_is_tried_too() -> None:
    world = MemoryOffice()
    world.sink().errors.append(GONE)
    world.configs.fresh = replace(world.configs.config, token="xoxb-2")
    assert notify(FAILED, world.office, "m1") is Told.SENT
    assert len(world.sink().sent) == 1 and world.refusals == 0


def test_a_teams_alert_goes_to_the_default_with_a_line_that_says_why() -> None:
    world = teams()
    world.sink("#research").down = GONE
    assert notify(FAILED, world.office, "m1") is Told.SENT
    trouble, alert = world.sink("#gpu").sent
    assert trouble.title == "Alerts do not reach Slack channel #research"
    assert "name another" in trouble.body and "docs/alerts.md" in trouble.body
    assert alert.title == "llama failed while CREATING"
    assert alert.notes[0].startswith("It was meant for Slack channel #research")
    assert world.refusals == 1


def test_that_a_place_is_gone_is_said_once_a_day() -> None:
    world = MemoryOffice()
    world.sink().down = GONE
    for number in range(3):
        notify(failed(f"e{number}"), world.office, f"m{number}")
    said = [title for title in world.last.titles if title.startswith("Alerts do not reach")]
    assert len(said) == 1 and len(world.last.sent) == 4 and world.refusals == 3
    world.forward(days=1)
    notify(failed("another"), world.office, "m9")
    assert [t for t in world.last.titles if t.startswith("Alerts do not reach")] == said * 2


def test_mere_news_wait_in_the_queue_instead_of_filling_a_mailbox() -> None:
    world = MemoryOffice(AlertConfig(token="x", default=GPU, group_seconds=0))
    world.sink().down = GONE
    with pytest.raises(SinkRejectedError):
        notify(AWOKE, world.office, "m1")
    assert [title.startswith("Alerts do not reach") for title in world.last.titles] == [True]
    world.sink().down = None  # somebody mended it, and sent the message again
    assert notify(AWOKE, world.office, "redriven") is Told.SENT
    assert world.sink().titles == ["llama is awake"]


def test_with_nobody_to_hear_it_the_alert_stays_and_the_trouble_is_said_as_soon_as_one_can() -> (
    None
):
    world = MemoryOffice()
    world.sink().down, world.last.down = GONE, SinkRejectedError("nobody has confirmed")
    with pytest.raises(SinkRejectedError, match="is_archived"):
        notify(FAILED, world.office, "m1")
    assert world.refusals == 1
    world.last.down = None
    world.forward(seconds=60)
    assert notify(FAILED, world.office, "m1") is Told.SENT
    assert len(world.last.sent) == 2


def test_what_was_held_for_a_place_that_is_gone_stays_held() -> None:
    world = MemoryOffice()
    notify(AWOKE, world.office, "m1")
    world.sink().down = GONE
    world.forward(seconds=61)
    assert len(flush(world.office, "a minute").troubles) == 1 and len(world.held.items) == 1
    world.sink().down = None
    assert flush(world.office, "a minute").messages == 1


def test_what_was_held_for_a_route_that_is_no_more_goes_to_the_default() -> None:
    world = teams()
    notify(AWOKE, world.office, "m1")
    world.configs.config = AlertConfig(token="xoxb-1", default=GPU)
    world.forward(seconds=61)
    flush(world.office, "a minute")
    assert world.sink("#gpu").titles == ["llama is awake"]


def test_a_wrong_route_costs_one_line_below_the_message_and_no_alert() -> None:
    config = {
        "token": "xoxb-1",
        "channel": "#gpu",
        "routes": [{"team": "research", "min_severity": "loud", "channel": "#research"}],
    }
    world = MemoryOffice(read_config(json.dumps(config)))
    world.teams["llama"] = "research"
    assert notify(FAILED, world.office, "m1") is Told.SENT
    (message,) = world.sink("#gpu").sent
    (note,) = message.notes
    assert "routes.0.min_severity" in note and "loud" not in note


def test_without_a_default_whoever_is_told_hears_of_what_is_wrong() -> None:
    config = {
        "token": "xoxb-1",
        "routes": [{"channel": "#all"}],
        "quiet_hours": {"time_zone": "Mars/One", "from": "22:00", "to": "07:00"},
    }
    world = MemoryOffice(read_config(json.dumps(config)))
    notify(FAILED, world.office, "m1")
    assert "quiet_hours.time_zone" in world.sink("#all").sent[0].notes[0]


@pytest.mark.parametrize("end", [7, 7.5, "7", "22:00Z", "07:00:00", "24:00", None, True, "٧:٠٠"])
def test_a_mistyped_end_of_the_quiet_hours_costs_a_line_and_no_alert(end: object) -> None:
    quiet = {"time_zone": "Europe/Berlin", "from": "22:00", "to": end}
    world = MemoryOffice(
        read_config(json.dumps({"token": "xoxb-1", "channel": "#all", "quiet_hours": quiet}))
    )
    assert notify(FAILED, world.office, "m1") is Told.SENT
    (note,) = world.sink("#all").sent[0].notes
    assert "quiet_hours.to" in note and "07:00" in note


def test_a_secret_that_cannot_be_understood_at_all_is_said_by_mail_with_the_alert() -> None:
    world = MemoryOffice(read_config('{"token": '))
    world.sinks["the default of the alerts' secret"] = MemorySink(down=GONE)
    assert notify(FAILED, world.office, "m1") is Told.SENT
    trouble, alert = world.last.sent
    assert trouble.title == "Alerts do not reach the default of the alerts' secret"
    assert any("is no JSON (line 1" in note for note in alert.notes)
