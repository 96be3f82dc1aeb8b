"""What the policy promises for hours and days, to the minute: closed windows, overrides that end by
themselves, and the wakes of a day. The soak has them in the whole embedded account
(test_closed_windows, test_overrides, test_stack_wakes)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.policy.types import Phase
from tests.histories.checks import wrong_with
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep, awake
from tests.histories.world import NAME, TICK_SECONDS, World
from tests.samples import closed_window

OTHER = "other"
# A wake takes some six minutes here, and is begun a lead time and a tick ahead.
LEAD = timedelta(minutes=10)
TICK = timedelta(seconds=TICK_SECONDS)


def _now(world: World) -> datetime:
    return datetime.fromtimestamp(world.clock.time(), UTC)


def _shown(world: World, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = world.command("get", endpoint=name).payload["result"]["endpoints"][0]
    return found


def _until(world: World, holds: Callable[[], bool], most: timedelta) -> datetime:
    """When it held first, to ten seconds."""
    world.until(holds, most.total_seconds(), step_seconds=10)
    return _now(world)


def _stays(world: World, phase: Phase, until: datetime, name: str = NAME) -> bool:
    """Whether it is in the phase at every look until then."""
    while _now(world) < until:
        if world.phase(name) != phase:
            return False
        world.run(TICK_SECONDS)
    return True


def _ran(world: World) -> list[str]:
    assert world.settle()
    return wrong_with(world)


def _closed(world: World) -> None:
    ends = _now(world) + timedelta(hours=2)
    begins = ends - timedelta(hours=3)
    scaling = {"keep_alive": "2h", "max_copies": 1}
    assert world.apply(
        scaling=scaling, schedule={"windows": [closed_window(begins, ends)]}
    ).payload["ok"]
    slept = _until(world, lambda: world.phase() == Phase.ASLEEP, timedelta(minutes=30))
    assert slept < ends - timedelta(hours=1), "it slept although its keep-alive is two hours"
    assert _shown(world)["closed"] == {"window": "night", "until": ends.isoformat()}

    world.send("patient")
    world.send("urgent", ttl="3m")
    world.run(4 * TICK_SECONDS)
    assert world.refusals() == ["urgent"], "told that it cannot be answered in time"
    assert _stays(world, Phase.ASLEEP, ends - LEAD)
    assert world.instances() == 0
    refused = world.command("wake", endpoint=NAME).payload
    assert not refused["ok"] and "keep-warm" in str(refused)

    woken = _until(world, lambda: world.phase() == Phase.WAKING, 2 * LEAD)
    answered = _until(world, lambda: world.answers() == ["patient"], LEAD)
    assert ends - LEAD < woken < ends, "a lead time ahead"
    assert abs(answered - ends) < 2 * TICK
    assert _shown(world)["wakes_today"] == 1
    assert not _ran(world)


def test_closed_it_goes_to_zero_and_answers_what_waited_when_the_window_ends(empty: World) -> None:
    in_copy(lambda: _closed(empty))


def _override(world: World, kind: str, minutes: float, **more: Any) -> datetime:
    order = {"kind": kind, "seconds": minutes * 60, "reason": "a demo", "author": "ada", **more}
    assert world.command("override", endpoint=NAME, **order).payload["ok"]
    (one,) = _shown(world)["overrides"]
    assert (one["kind"], one["author"], one["reason"]) == (kind, "ada", "a demo")
    return _now(world) + timedelta(minutes=minutes)


def _kept_warm(world: World) -> None:
    awake(world)
    assert world.apply(scaling={"keep_alive": "5m", "max_copies": 1}).payload["ok"]
    ends = _override(world, "keep_warm", 25)
    assert _stays(world, Phase.AWAKE, ends), "its keep-alive is over, but it is kept warm"
    slept = _until(world, lambda: world.phase() == Phase.SLEEPING, timedelta(minutes=7))
    assert slept >= ends
    assert _shown(world)["overrides"] == []
    assert not _ran(world)
    assert world.instances() == 0


def test_kept_warm_it_stays_awake_without_requests_until_it_ends_by_itself(empty: World) -> None:
    in_copy(lambda: _kept_warm(empty))


def _put_to_sleep(world: World) -> None:
    asleep(world)
    ends = _override(world, "sleep_until", 25, even_for_requests=True)
    world.send("patient")
    assert _stays(world, Phase.ASLEEP, ends - TICK)
    assert (world.instances(), world.answers()) == (0, [])
    woken = _until(world, lambda: world.phase() == Phase.WAKING, 3 * TICK)
    assert woken >= ends
    _until(world, lambda: world.answers() == ["patient"], LEAD)
    assert _shown(world)["overrides"] == []
    assert not _ran(world)


def test_put_to_sleep_even_for_requests_it_wakes_for_them_when_that_ends(empty: World) -> None:
    in_copy(lambda: _put_to_sleep(empty))


def _released(world: World) -> None:
    awake(world)
    assert world.apply(scaling={"keep_alive": "5m", "max_copies": 1}).payload["ok"]
    _override(world, "pause_scale_in", 8 * 60)
    assert _stays(world, Phase.AWAKE, _now(world) + timedelta(minutes=15))
    assert world.command("release", endpoint=NAME, author="dee").payload["ok"]
    assert _shown(world)["overrides"] == []
    _until(world, lambda: world.phase() == Phase.SLEEPING, timedelta(minutes=7))
    assert not _ran(world)


def test_released_before_its_time_it_is_over_at_once(empty: World) -> None:
    in_copy(lambda: _released(empty))


def _spent(world: World) -> None:
    for name in (NAME, OTHER):
        scaling = {"keep_alive": "2m", "max_copies": 1}
        assert world.apply(name, scaling=scaling).payload["ok"]
    assert world.settle()
    assert [world.phase(name) for name in (NAME, OTHER)] == [Phase.ASLEEP] * 2
    changes = {"wakes_per_day": 1}
    assert world.command("budget_set", changes=changes, author="ada").payload["ok"]
    world.send("first")
    _until(world, lambda: world.answers() == ["first"], LEAD)
    world.run(2 * TICK_SECONDS)

    world.send("second", OTHER)
    assert _stays(world, Phase.ASLEEP, _now(world) + timedelta(minutes=30), OTHER)
    said = "1 of 1 wakes of the whole stack are spent today: 1 request"
    assert said in _shown(world, OTHER)["last_reason"]
    assert world.command("wake", endpoint=OTHER, author="bob").payload["ok"]
    _until(world, lambda: world.answers(OTHER) == ["second"], LEAD)
    limits = world.command("budget").payload["result"]["stack"]
    assert limits["wakes_today"] == 2, "a person's wake goes beyond, and counts"
    assert not _ran(world)


def test_wakes_of_a_day_that_one_endpoint_spent_are_spent_for_all_and_a_person_wakes(
    empty: World,
) -> None:
    in_copy(lambda: _spent(empty))
