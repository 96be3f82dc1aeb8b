"""What is injected reads like what the services say themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.histories.faults import Call, Fault, RefusedError, words
from tests.histories.forks import in_copy
from tests.histories.step_functions import SDK, sdk_error, sdk_service
from tests.histories.template import machines
from tests.histories.world import World

_ABSENT = "autoscaler-nobody"
_ANSWERS = (Fault.THROTTLED, Fault.BROKEN, Fault.DENIED, Fault.EXISTS, Fault.BUSY, Fault.NOT_FOUND)


def _missing_queue(world: World) -> Any:
    return world.client("sqs").get_queue_url(QueueName=_ABSENT)


def _queue_with_other_attributes(world: World) -> Any:
    sqs = world.client("sqs")
    sqs.create_queue(QueueName=_ABSENT, Attributes={"DelaySeconds": "1"})
    return sqs.create_queue(QueueName=_ABSENT, Attributes={"DelaySeconds": "2"})


def _names(world: World, call: Callable[[World], Any]) -> tuple[str, str]:
    """Of the exception: its class, by which machines are told, and the code that Python reads."""
    with pytest.raises(ClientError) as refused:
        call(world)
    return type(refused.value).__name__, refused.value.response["Error"]["Code"]


def _injected(world: World, call: Callable[[World], Any], fault: Fault) -> tuple[str, str]:
    world.wire.strike = lambda _: fault
    with world.wire.acting("somebody"):  # an owner's calls are not disturbed
        names = _names(world, call)
    assert [one for _, one in world.wire.fired] == [fault]
    return names


@pytest.mark.parametrize(
    ("call", "fault", "name"),
    [
        (_missing_queue, Fault.NOT_FOUND, "QueueDoesNotExist"),
        (_queue_with_other_attributes, Fault.EXISTS, "QueueNameExists"),
    ],
)
def test_an_injected_error_of_a_queue_has_both_names_that_sqs_gives_it(
    empty: World, call: Callable[[World], Any], fault: Fault, name: str
) -> None:
    said = in_copy(lambda: _names(empty, call))
    injected = in_copy(lambda: _injected(empty, call, fault))
    assert injected == said
    assert said[0] == name


def _states(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of a machine, and of the maps in it."""
    for state in definition["States"].values():
        yield state
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"])


def _caught() -> set[tuple[str, str, str]]:
    """(service, action, error) of every answer of a service that a machine's state catches."""
    found = set()
    for definition in machines().values():
        for state in _states(definition):
            if not (resource := state.get("Resource", "")).startswith(SDK):
                continue
            service, _, action = resource.removeprefix(SDK).partition(":")
            for rule in state.get("Catch", ()):
                named = {one for one in rule["ErrorEquals"] if not one.startswith("States.")}
                found |= {(service, action, one) for one in named}
    return found


def _can_be_injected(world: World, service: str, action: str) -> set[str]:
    client = world.client(sdk_service(service))
    call = Call(client.meta.service_model.signing_name, f"{action[:1].upper()}{action[1:]}", "", {})
    answers = [words(fault, call) for fault in _ANSWERS]
    return {_named_by_machines(client, service, one) for one in answers if one is not None}


def _named_by_machines(client: Any, service: str, answer: RefusedError) -> str:
    said = answer.error
    kind = client.exceptions.from_code(said.get("QueryErrorCode", said["Code"]))
    return sdk_error(service)(kind({"Error": said}, ""), "")


def test_every_answer_that_a_machine_catches_can_be_injected(empty: World) -> None:
    caught = _caught()
    assert ("sqs", "getQueueAttributes", "Sqs.QueueDoesNotExistException") in caught
    never = [one for one in caught if one[2] not in _can_be_injected(empty, *one[:2])]
    assert not never
