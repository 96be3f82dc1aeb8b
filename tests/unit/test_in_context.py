"""What is announced of an endpoint says which overrides are in force, in every place that it goes
to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.events.life import HoldSet
from autoscaler.alerts.events.overrides import OverrideSet
from autoscaler.alerts.grouping import digest, grouped
from autoscaler.alerts.message import message_of
from autoscaler.alerts.plain import document, text
from autoscaler.alerts.slack import payload
from autoscaler.control import overrides
from autoscaler.control.in_context import InContext
from autoscaler.control.overrides import Asked
from autoscaler.control.reconcile import reconcile
from autoscaler.endpoints.migrations import UnreadableError
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Hold, Override, OverrideKind
from tests.alerts_events import AT, ONE_OF_EACH
from tests.memory import MemoryAnnouncer, MemoryStore, MemoryWorld, memory_world
from tests.samples import awake, put
from tools.receiver import validated

UNTIL = AT + timedelta(hours=6)
HELD = Hold(until=UNTIL, min_copies=2, reason="load test", author="ana")
PAUSED = Override(OverrideKind.PAUSE_SCALE_IN, AT, UNTIL, "a demo", "bo")
ANA = "held at 2 copies or more until 24 Nov 18:00 UTC by ana: load test"
BO = "kept from scaling in until 24 Nov 18:00 UTC by bo: a demo"
TOLD = [event for event in ONE_OF_EACH if event.told]
OF_ONE = [event for event in TOLD if event.endpoint == "llama"]
BY_NAME = {event.detail_type: event for event in ONE_OF_EACH}


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    put(world, awake("llama", hold=HELD, overrides=(PAUSED,)))
    put(world, awake("small"))
    return world


def announced(world: MemoryWorld, *events: Event) -> list[Any]:
    heard = MemoryAnnouncer()
    InContext(heard, world.store).announce_all(events)
    return heard.events


@pytest.mark.parametrize("event", OF_ONE, ids=lambda event: event.detail_type)
class TestEveryAnnouncement:
    def test_says_what_is_in_force_but_for_what_it_tells_itself(self, world, event) -> None:
        (heard,) = announced(world, event)
        own = {ANA} if isinstance(event, HoldSet) else {BO} if _pauses(event) else set()
        assert set(heard.in_force) == {ANA, BO} - own

    def test_is_seen_in_slack_in_an_email_and_by_a_webhook(self, world, event) -> None:
        message = message_of(event.model_copy(update={"in_force": (ANA,)}))
        line = f"llama is {ANA}"
        blocks = payload(message)["attachments"][0]["blocks"]
        contexts = [b["elements"][0]["text"] for b in blocks if b["type"] == "context"]
        assert contexts[0] == f"📌 {line}"
        assert validated(json.dumps(payload(message)).encode())
        assert line in text(message).splitlines()
        assert document(message)["in_force"] == [line]


def _pauses(event: Any) -> bool:
    return isinstance(event, OverrideSet) and event.kind is OverrideKind.PAUSE_SCALE_IN


@pytest.mark.parametrize(
    ("which", "changes"),
    [
        ("of an endpoint of which nobody asked anything", {"endpoint": "small"}),
        ("of one that is gone", {"endpoint": "nobody"}),
        ("when all that was asked for is over", {"at": UNTIL}),
    ],
)
def test_nothing_is_said(world, which, changes) -> None:
    (heard,) = announced(world, BY_NAME["EndpointAwoke"].model_copy(update=changes))
    assert heard.in_force == (), which


def test_what_concerns_the_whole_stack_has_none(world) -> None:
    for heard in announced(world, *(event for event in TOLD if not event.endpoint)):
        assert heard.in_force == ()


def test_what_nobody_is_told_of_costs_no_read(world) -> None:
    class Unread(MemoryStore):
        def load(self, name: str) -> EndpointRecord | None:
            raise AssertionError("read")

        stack = load  # type: ignore[assignment]

    heard = MemoryAnnouncer()
    InContext(heard, Unread()).announce(BY_NAME["RequestAnswered"])
    assert heard.kinds() == ["RequestAnswered"]


def test_an_endpoint_that_cannot_be_read_is_told_of_all_the_same(world) -> None:
    class Unreadable(MemoryStore):
        def load(self, name: str) -> EndpointRecord | None:
            raise UnreadableError(name)

    heard = MemoryAnnouncer()
    InContext(heard, Unreadable()).announce(BY_NAME["EndpointAwoke"])
    assert heard.events == [BY_NAME["EndpointAwoke"]]


def test_a_reason_is_one_line_of_a_bounded_length(world) -> None:
    status = world.store.records["llama"].status
    long = Hold(until=UNTIL, min_copies=1, reason="a\n\nPay here: " + "x" * 900, author="eve")
    world.store.save(status.model_copy(update={"hold": long, "overrides": ()}))
    (heard,) = announced(world, BY_NAME["EndpointAwoke"])
    (sentence,) = heard.in_force
    assert "\n" not in sentence and len(sentence) == 300 and sentence.endswith("…")


def test_slack_acts_on_nothing_of_it() -> None:
    evil = "held until then by <!channel>: <https://evil.example|click> & so on"
    raw = json.dumps(payload(message_of(BY_NAME["EndpointAwoke"].model_copy(
        update={"in_force": (evil,)}
    ))))  # fmt: skip
    assert "<" not in raw and "&lt;!channel&gt;" in raw


def test_a_group_and_a_digest_say_it_of_each_as_it_was_last() -> None:
    def awoke(name: str, *in_force: str, minutes: int = 0) -> Event:
        at = AT + timedelta(minutes=minutes)
        changes = {"endpoint": name, "in_force": in_force, "at": at}
        return BY_NAME["EndpointAwoke"].model_copy(update=changes)

    events = [awoke("b", BO, minutes=1), awoke("b", ANA), awoke("a", ANA), awoke("c")]
    assert grouped(events).in_force == digest(events).in_force == (f"a is {ANA}", f"b is {BO}")
    many = grouped([awoke(f"e{n:02}", ANA) for n in range(40)])
    assert (len(many.in_force), many.in_force[-1]) == (9, "… and 32 more")


def test_the_end_of_each_is_told_and_what_goes_on_stands_with_it(world) -> None:
    """They expire by themselves: the tick that sees it says so, and notes it."""
    world.clock.moment = AT
    overrides.override(
        world, "llama", OverrideKind.KEEP_WARM, Asked(timedelta(hours=9), "a talk", "eve")
    )
    world.clock.moment = UNTIL
    before = len(world.announcer.events)
    reconcile(world)
    ended = [e for e in world.announcer.events[before:] if e.detail_type.endswith("Ended")]
    assert [message_of(event).title for event in ended] == [
        "The hold on llama has ended",
        "llama may scale in again",
    ]
    assert all("It expired." in message_of(event).body for event in ended)
    lines = [entry.text for entry in world.store.history("llama")]
    assert {"The hold expired.", "Pause-scale-in expired."} <= set(lines)
    (heard,) = announced(world, ended[0])
    assert heard.in_force == ("kept warm until 24 Nov 21:00 UTC by eve: a talk",)
