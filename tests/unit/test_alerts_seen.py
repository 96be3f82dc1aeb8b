"""What was told and what is held is remembered in the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.office import Held
from autoscaler.aws.held import TableHeld
from autoscaler.aws.seen import TableSeen
from autoscaler.aws.teams import TableTeams
from tests.alerts_events import AT, ONE_OF_EACH
from tests.memory import StandingClock
from tests.tables import in_moto

HOUR = timedelta(hours=1)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with in_moto() as client:
        yield client


def test_the_first_holder_wins_until_the_mark_expires(dynamodb: Any) -> None:
    clock = StandingClock()
    seen = TableSeen("table", dynamodb, clock)
    assert seen.first_time("k", HOUR, "m1")
    assert not seen.first_time("k", HOUR, "m2")
    assert seen.first_time("other", HOUR, "m2")
    clock.forward(minutes=59)
    assert not seen.first_time("k", HOUR, "m2")
    clock.forward(minutes=1)
    assert seen.first_time("k", HOUR, "m2")


def test_the_same_message_may_come_again(dynamodb: Any) -> None:
    seen = TableSeen("table", dynamodb, StandingClock())
    assert seen.first_time("k", HOUR, "m1") and seen.first_time("k", HOUR, "m1")


def test_what_is_kept_as_told_is_not_even_told_by_the_same_message(dynamodb: Any) -> None:
    clock = StandingClock()
    seen = TableSeen("table", dynamodb, clock)
    seen.first_time("k", HOUR / 4, "m1")
    seen.keep("k", HOUR)
    assert not seen.first_time("k", HOUR, "m1")
    clock.forward(minutes=60)
    assert seen.first_time("k", HOUR, "m1")


def test_what_was_forgotten_is_the_first_again(dynamodb: Any) -> None:
    seen = TableSeen("table", dynamodb, StandingClock())
    seen.first_time("k", HOUR, "m1")
    seen.forget("k")
    assert seen.first_time("k", HOUR, "m2")


def test_the_item_is_where_the_role_allows_and_the_ttl_looks(dynamodb: Any) -> None:
    clock = StandingClock()
    TableSeen("table", dynamodb, clock).first_time("k" * 5000, HOUR, "m1")
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert item["pk"]["S"].startswith("SEEN#kkk") and item["sk"]["S"] == "SEEN"
    assert int(item["expires_at"]["N"]) == clock.now().timestamp() + 3600


def test_an_error_of_dynamodb_is_not_taken_for_seen(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        TableSeen("absent", dynamodb, StandingClock()).first_time("k", HOUR, "m1")


def held(key: str, event: Event, quiet: bool = False) -> Held:
    return Held("default", AT, quiet, event, key)


def test_what_is_held_comes_back_as_it_was_each_once(dynamodb: Any) -> None:
    store = TableHeld("table", dynamodb)
    for event in ONE_OF_EACH:
        store.hold(held(event.detail_type, event))
        store.hold(held(event.detail_type, event, quiet=True))
    found = {one.key: one for one in store.all()}
    assert found == {e.detail_type: held(e.detail_type, e, quiet=True) for e in ONE_OF_EACH}
    store.drop(store.all()[1:])
    assert len(store.all()) == 1


def test_a_night_full_of_them_is_read_to_the_end(dynamodb: Any) -> None:
    store, event = TableHeld("table", dynamodb), ONE_OF_EACH[0]
    for number in range(300):  # 300 items of 5 KB: more than the 1 MB of a page
        store.hold(held(f"{number}#{'k' * 5000}", event))
    assert len(store.all()) == 300


def test_held_items_are_where_the_role_allows_and_expire_after_14_days(dynamodb: Any) -> None:
    TableHeld("table", dynamodb).hold(held("k", ONE_OF_EACH[0]))
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert item["pk"]["S"] == "HELD"
    assert int(item["expires_at"]["N"]) == AT.timestamp() + 14 * 86_400


def test_whose_an_endpoint_is_stands_in_its_file(dynamodb: Any) -> None:
    spec = {"pk": {"S": "FLEET"}, "sk": {"S": "llama#SPEC"}, "body": {"S": '{"team": "research"}'}}
    dynamodb.put_item(TableName="table", Item=spec)
    teams = TableTeams("table", dynamodb)
    assert (teams.of("llama"), teams.of("nobody")) == ("research", "")
    dynamodb.delete_item(TableName="table", Key={"pk": spec["pk"], "sk": spec["sk"]})
    assert teams.of("llama") == "research"  # of one that has just left, what was known


def test_long_keys_that_differ_at_their_end_are_two(dynamodb: Any) -> None:
    seen, key = TableSeen("table", dynamodb, StandingClock()), "\u00e4" * 2000
    assert seen.first_time(key, HOUR, "m1")
    assert seen.first_time(f"{key}@research/info/#a", HOUR, "m2")
    assert not seen.first_time(f"{key}@research/info/#a", HOUR, "m3")


def test_one_that_another_release_held_keeps_no_other_from_being_told(dynamodb: Any) -> None:
    store, event = TableHeld("table", dynamodb), ONE_OF_EACH[0]
    store.hold(held("ours", event))
    for key, detail_type in (("newer", "NotInventedYet"), ("other", "EndpointAwoke")):
        body = {"target": "default", "at": AT.isoformat(), "quiet": False, "key": key}
        body |= {"detail-type": detail_type, "detail": "{}"}
        item = {"pk": {"S": "HELD"}, "sk": {"S": key}, "body": {"S": json.dumps(body)}}
        dynamodb.put_item(TableName="table", Item=item)
    assert [one.key for one in store.all()] == ["ours"]
    store.drop(store.all())
    assert dynamodb.scan(TableName="table")["Count"] == 2  # for the release that knows them
