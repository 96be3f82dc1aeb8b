"""A client of the gateway: the real application in this process, one environment a request.

It asks for a ticket. A connection that is held would wait while the clock stands still.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from autoscaler.gateway.access import CheckedByIam
from autoscaler.gateway.serve import gateway_settings, of_this_stack
from autoscaler.gateway.states import serves_directly
from autoscaler.policy.types import Phase
from tests.histories.faults import Killed
from tests.histories.handlers import KILLED, renew
from tests.histories.scenarios import Scenario, agreed, asleep
from tests.histories.step_functions import Invoked
from tests.histories.world import NAME, World

_ACTOR = "gateway"
_TRIES, _PAUSE_SECONDS = 3, 15.0  # of a client that gets an error or nothing
_ACCEPTED = 202


def sleeps(world: World) -> bool:
    """Whether the gateway leaves a request in the queue instead of asking a copy."""
    record = world.record()
    return record is not None and not serves_directly(record)


def ask(world: World) -> Invoked:
    """Asks for a ticket, and writes it into the world. An error is how it ended: an HTTP status, or
    that the environment died."""
    with world.wire.acting(_ACTOR):
        try:
            status, document = asyncio.run(_posted())
        except Killed:
            renew(world.wire)
            done = Invoked(None, KILLED, "the process ended in the middle of its work")
        else:
            world.tickets += [document["id"]] if status == _ACCEPTED else []
            done = Invoked(document, "" if status == _ACCEPTED else f"HTTP {status}")
    world.handlers.invoked.append((_ACTOR, done))
    return done


async def _posted() -> tuple[int, dict[str, Any]]:
    app = of_this_stack(gateway_settings({**os.environ, "GATEWAY_ACCESS": "iam"}), CheckedByIam())
    question = {"model": NAME, "messages": [{"role": "user", "content": "one"}]}
    body = json.dumps(question).encode()
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        return await asyncio.get_running_loop().create_future()  # nobody hangs up

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"prefer", b"respond-async")],
    }
    await app(scope, receive, send)
    whole = b"".join(one.get("body", b"") for one in sent[1:])
    return int(sent[0]["status"]), json.loads(whole)


def _asked(world: World) -> None:
    for _ in range(_TRIES):
        if not ask(world).error:
            break
        world.run(_PAUSE_SECONDS)
    world.run(480)


def _ask_again(world: World) -> None:
    """Whoever has no ticket asks once more; who mended what failed a wake closes its circuit.

    Of an endpoint that is at zero: the ticket is to wake it, as the first one was."""
    if not world.tickets:
        if not sleeps(world):
            world.command("sleep", endpoint=NAME)
            world.run(600)
        ask(world)
    if world.phase() != Phase.AWAKE:
        world.command("retry", endpoint=NAME)


def _answered(world: World) -> list[str]:
    off = [] if world.phase() == Phase.AWAKE else [f"{NAME} is {world.phase()}"]
    off += [] if world.tickets else ["nobody has a ticket"]
    lost = sorted(set(world.tickets) - set(world.answers()))
    return (
        off
        + [f"{one} was given for a request that is not answered" for one in lost]
        + agreed(world)
    )


TICKET = Scenario("ticket", asleep, _asked, _ask_again, _answered)
