"""What is injected reads like what the services say themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.histories.faults import Fault
from tests.histories.forks import in_copy
from tests.histories.world import World

_ABSENT = "autoscaler-nobody"


def _missing_queue(world: World) -> Any:
    return world.client("sqs").get_queue_url(QueueName=_ABSENT)


def _queue_with_other_attributes(world: World) -> Any:
    sqs = world.client("sqs")
    sqs.create_queue(QueueName=_ABSENT, Attributes={"DelaySeconds": "1"})
    return sqs.create_queue(QueueName=_ABSENT, Attributes={"DelaySeconds": "2"})


def _names(world: World, call: Callable[[World], Any], fault: Fault | None) -> tuple[str, str]:
    """Of the exception: its class, by which machines are told, and the code that Python reads."""
    world.wire.strike = lambda _: fault
    with pytest.raises(ClientError) as refused:
        call(world)
    return type(refused.value).__name__, refused.value.response["Error"]["Code"]


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
    said, injected = in_copy(lambda: (_names(empty, call, None), _names(empty, call, fault)))
    assert injected == said
    assert said[0] == name
