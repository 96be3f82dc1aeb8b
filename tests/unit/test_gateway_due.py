"""A caller says by when an answer is of use: by HTTP that counts from when it is asked."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.gateway_awake import Awake, gateway_of, said
from tests.memory import NOON
from tests.samples import asleep, awake

SOON = 10.0  # on a busy machine; below the patience of a caller who is held


def queued(gate: Awake) -> dict[str, object]:
    """The options of the only message."""
    url = gate.sqs.get_queue_url(QueueName="autoscaler-llama")["QueueUrl"]
    (message,) = gate.sqs.receive_message(QueueUrl=url)["Messages"]
    return dict(json.loads(message["Body"])["autoscaler"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "options", [{"ttl": "1m"}, {"deadline": (NOON + timedelta(minutes=1)).isoformat()}]
)
def test_who_is_held_hears_when_the_time_is_over(options: dict[str, str], stream: bool) -> None:
    with gateway_of(asleep("llama")) as gate, ThreadPoolExecutor() as pool:
        held = pool.submit(gate.chat, stream=stream, autoscaler=options)
        time.sleep(1.0)
        assert not held.done()
        gate.world.clock.forward(seconds=61)
        answer = held.result(SOON)
        if stream:
            error = json.loads(answer.text.split("data: ")[1])["error"]
        else:
            assert answer.status_code == 410
            error = answer.json()["error"]
    assert error["code"] == "expired"
    assert "was to be answered by 2026" in error["message"]


def test_no_model_is_asked_for_what_is_over_already() -> None:
    with gateway_of(awake("llama")) as gate:
        gate.model.pieces = [said("because", "stop")]
        late = gate.chat(autoscaler={"deadline": NOON.isoformat()})
        assert (late.status_code, late.json()["error"]["code"]) == (410, "expired")
        assert gate.model.asked == []
        assert gate.chat(autoscaler={"ttl": "1s"}).status_code == 200


def test_the_time_of_a_ticket_began_before_its_caller_was_held() -> None:
    with gateway_of(asleep("llama")) as gate, ThreadPoolExecutor() as pool:
        ask = {"messages": [{"role": "user"}], "model": "llama", "autoscaler": {"ttl": "1h"}}
        held = pool.submit(gate.asked, ask, Prefer="wait=2")
        time.sleep(0.5)
        gate.world.clock.forward(minutes=20)
        assert held.result(SOON).status_code == 202
        told = queued(gate)
    assert told["ttl"] == "40m"
