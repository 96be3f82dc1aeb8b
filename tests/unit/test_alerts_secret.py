"""What the alerts' secret may hold, and what is said of what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.routing import DEFAULT, target_named, targets
from autoscaler.alerts.secret import Place, read_config

HOOK = "https://hooks.slack.com/services/T1/B2/verysecret"


def config(**document: Any) -> Any:
    return read_config(json.dumps(document))


@pytest.mark.parametrize("secret", ["", "unset", " unset\n", '{"url": "unset"}', "{}"])
def test_a_secret_that_nobody_filled_in_is_unset(secret: str) -> None:
    assert read_config(secret).is_unset


@pytest.mark.parametrize(
    "secret", [HOOK, f" {HOOK}\n", f'{{"url": "{HOOK}"}}', f'{{"webhook": "{HOOK}"}}']
)
def test_a_webhook_alone_takes_everything(secret: str) -> None:
    found = read_config(secret)
    assert (found.default, found.problems) == (Place(webhook=HOOK), ())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:9/x"]
)
def test_plain_http_is_for_loopback(url: str) -> None:
    assert read_config(url).default == Place(webhook=url)


@pytest.mark.parametrize("channel", ["#gpu", "gpu", "C0123ABCD", "#gpu-ünïcode"])
def test_a_bot_and_its_channel(channel: str) -> None:
    found = config(token="xoxb-1", channel=channel)
    assert (found.token, found.default, found.problems) == ("xoxb-1", Place(channel=channel), ())


@pytest.mark.parametrize(
    "place",
    [
        {"sns": "alarms"},
        {"sns": "arn:aws-cn:sns:cn-north-1:123456789012:gpu"},
        {"post": "https://a.example/b"},
    ],
)
def test_other_places(place: dict[str, str]) -> None:
    assert config(default=place).default == Place(**place)


# What is wrong, the field that is named, and what it says.
WRONG = [
    ({"url": "http://hooks.slack.com/services/T1/B2/verysecret"}, "webhook", "must be an https"),
    ({"url": "verysecret"}, "webhook", "must be an https"),
    ({"token": "verysecret", "channel": "#gpu"}, "token", "begins with xoxb-"),
    ({"channel": "#gpu"}, "default.channel", "needs a bot's `token`"),
    ({"token": "xoxb-1", "channel": "two words"}, "channel", "pattern"),
    ({"default": {"sns": "gpu"}}, "default.sns", "pattern"),
    ({"default": {"post": "http://a.example/verysecret"}}, "default.post", "https"),
    ({"default": {"post": HOOK, "sns": "alarms"}}, "default", "exactly one of"),
    ({"default": {}}, "default", "exactly one of"),
    ({"url": HOOK, "routes": {}}, "routes", "must be a list"),
    ({"url": HOOK, "routes": [{"team": "a"}]}, "routes.0", "exactly one of"),
    ({"url": HOOK, "routes": [{"chanel": "#a"}]}, "routes.0.chanel", "not permitted"),
    (
        {"url": HOOK, "routes": [{"sns": "alarms", "min_severity": "x"}]},
        "routes.0.min_severity",
        "info",
    ),
    (
        {"url": HOOK, "quiet_hours": {"from": "22:00", "to": "07:00"}},
        "quiet_hours.time_zone",
        "required",
    ),
    (
        {"url": HOOK, "quiet_hours": {"time_zone": "Europe/Paris", "from": "25:00", "to": "07:00"}},
        "quiet_hours.from",
        "time",
    ),
    (
        {"url": HOOK, "quiet_hours": {"time_zone": "Mars/One", "from": "22:00", "to": "07:00"}},
        "quiet_hours.time_zone",
        "Mars",
    ),
    (
        {"url": HOOK, "quiet_hours": {"time_zone": "UTC", "from": "7:00", "to": "07:00"}},
        "quiet_hours.from",
        "time",
    ),
    (
        {"url": HOOK, "quiet_hours": {"time_zone": "UTC", "from": "07:00", "to": "07:00"}},
        "quiet_hours",
        "same time",
    ),
    ({"url": HOOK, "group_seconds": -1}, "group_seconds", "greater than or equal"),
    ({"url": HOOK, "colour": "verysecret"}, "colour", "is no field; known"),
    ({"url": HOOK, "default": {"sns": "alarms"}}, "default", "stands beside webhook"),
]


@pytest.mark.parametrize(("document", "field", "said"), WRONG, ids=lambda v: str(v)[:40])
def test_what_is_wrong_is_named_by_its_field_and_never_shown(
    document: dict[str, Any], field: str, said: str
) -> None:
    found = config(**document)
    named = [one for one in found.problems if one.startswith(f"{field}: ") and said in one]
    assert len(named) == 1, found.problems
    assert "verysecret" not in " ".join(found.problems)


def test_what_is_no_json_is_said_so_with_its_place() -> None:
    (problem,) = read_config('{"token": ').problems
    assert "no JSON (line 1, column 10)" in problem


def test_one_wrong_route_leaves_the_others_standing() -> None:
    routes = [{"team": "a", "channel": "#a"}, {"team": "b"}, {"team": "c", "channel": "#c"}]
    found = config(token="xoxb-1", channel="#gpu", routes=routes)
    assert [route.team for route in found.routes] == ["a", "c"]
    assert found.problems[0].startswith("routes.1:")


ROUTED = [
    ("research", "info", ["#research"]),
    ("research", "critical", ["#research", "#oncall"]),
    ("search", "info", ["#gpu"]),  # its route takes warnings only: the default has the rest
    ("search", "warning", ["#search"]),
    ("search", "critical", ["#search", "#oncall"]),
    ("another", "warning", ["#gpu"]),
    ("another", "critical", ["#oncall"]),
    ("", "info", ["#gpu"]),
]


@pytest.mark.parametrize(("team", "severity", "channels"), ROUTED)
def test_who_is_told(team: str, severity: str, channels: list[str]) -> None:
    routes = [
        {"team": "research", "channel": "#research"},
        {"team": "search", "min_severity": "warning", "channel": "#search"},
        {"min_severity": "critical", "channel": "#oncall"},
        {"team": "research", "min_severity": "critical", "channel": "#research"},  # the same place
    ]
    found = config(token="xoxb-1", channel="#gpu", routes=routes)
    assert found.problems == ()
    told = [t.place.channel for t in targets(found, team, Severity(severity)) if t.place]
    assert told == channels


def test_without_a_default_what_no_route_takes_still_has_a_target() -> None:
    found = config(token="xoxb-1", routes=[{"team": "a", "channel": "#a"}])
    (target,) = targets(found, "b", Severity.INFO)
    assert (target.name, target.place) == (DEFAULT, None)


def test_the_name_of_a_route_outlives_a_rotated_credential() -> None:
    old, new = (config(routes=[{"team": "a", "webhook": HOOK + more}]).routes[0] for more in "12")
    assert old != new and old.name == new.name and "verysecret" not in old.name


UNSENDABLE = [
    {"token": "xoxb-very\nsecret", "channel": "#gpu"},  # http.client shows such a header
    {"token": "xoxb-verysecret\u201c", "channel": "#gpu"},
    {"url": "https://hooks.slack.com/services/very secret"},
    {"url": "https://hooks.slack.com/services/verysecret\u00fc"},
    {"url": "https://hooks.slack.com:verysecret/x"},
    {"post": "https://a.example:99999/verysecret"},
    {"post": "https://a..example/verysecret"},
]


@pytest.mark.parametrize("document", UNSENDABLE, ids=str)
def test_what_could_never_be_sent_is_a_mistake_of_the_secret(document: dict[str, Any]) -> None:
    found = config(**document)
    assert found.default is None and found.problems
    assert "secret" not in " ".join(found.problems).replace("#gpu", "")


def test_a_credential_in_the_place_of_a_name_is_not_shown_either() -> None:
    found = config(**{"xoxb-verysecret": "#gpu", "routes": [{HOOK: "#a"}, {"verysecret9": 1}]})
    assert len(found.problems) == 3
    assert "verysecret" not in " ".join(found.problems)
    assert "T1" not in " ".join(found.problems)


def test_two_places_of_one_team_and_kind_are_both_told_and_both_found_again() -> None:
    routes = [{"team": "a", "webhook": HOOK + more} for more in "12"]
    found = config(url=HOOK, routes=routes)
    told = targets(found, "a", Severity.INFO)
    assert [t.place.webhook for t in told if t.place] == [HOOK + "1", HOOK + "2"]
    assert [target_named(found, target.name) for target in told] == list(told)


@pytest.mark.parametrize("odd", ['{"a": ' + "[" * 100_000, '{"group_seconds": ' + "9" * 5000 + "}"])
def test_a_secret_that_no_reader_gets_through_is_a_problem_and_no_crash(odd: str) -> None:
    (problem,) = read_config(odd).problems
    assert "is no JSON" in problem and len(problem) < 200
