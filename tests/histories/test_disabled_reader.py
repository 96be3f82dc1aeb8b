"""Somebody disables what reads an endpoint's queue, and forgets it."""

from __future__ import annotations

from typing import Any

from autoscaler.endpoints.names import ResourceNames
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep
from tests.histories.template import STACK
from tests.histories.world import NAME, World


def _switched(world: World, on: bool) -> str:
    functions = world.client("lambda")
    queue = f":{ResourceNames(STACK, NAME).queue}"
    (reader,) = (
        one
        for one in functions.list_event_source_mappings()["EventSourceMappings"]
        if one["EventSourceArn"].endswith(queue)
    )
    functions.update_event_source_mapping(UUID=reader["UUID"], Enabled=on)
    return str(reader["UUID"])


def _disabled(world: World) -> tuple[str, list[dict[str, Any]], list[str]]:
    asleep(world)
    reader = _switched(world, on=False)
    world.send("one")
    world.run(3600)
    assert not world.invoke("sweep-account", {"sweep": "remove"}).error
    told = world.told("GapFound")
    _switched(world, on=True)
    assert world.settle()
    return reader, told, world.answers()


def test_it_is_told_with_the_command_that_enables_it_and_then_what_waited_is_answered(
    empty: World,
) -> None:
    reader, told, answers = in_copy(lambda: _disabled(empty))
    assert [one["endpoint"] for one in told] == [NAME]
    assert f"--uuid {reader} --enabled" in told[0]["command"]
    assert answers == ["one"]
