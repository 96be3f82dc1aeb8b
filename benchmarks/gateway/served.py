"""The gateway as it is measured, in a process of its own: `-m benchmarks.gateway.served URL`.

All of it is real but the table and the queue: an endpoint `awake` serves at URL, one named
`asleep` does so from SIGUSR1 on. A look at the table takes as long as DynamoDB's does.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from types import SimpleNamespace
from typing import Any

from autoscaler.aws.clients import Access
from autoscaler.aws.streaming import ModelStreams
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.gateway.access import ByKey, Key, digest
from autoscaler.gateway.serve import assembled, gateway_settings, server
from autoscaler.policy.types import Phase
from tests.memory import MemoryStore, memory_world
from tests.samples import asleep, awake, put

KEY = "ask-of-the-benchmark"
_LOOK_SECONDS = 0.005
_HELD = "2000"


class SlowStore(MemoryStore):
    """As far away as DynamoDB."""

    woken = False

    def load(self, name: str) -> EndpointRecord | None:
        time.sleep(_LOOK_SECONDS)
        record = super().load(name)
        if record is not None and self.woken:
            return record.having(awake(name))
        return record


def main() -> None:
    frozen = SimpleNamespace(access_key="measured", secret_key="measured", token=None)
    credentials: Any = SimpleNamespace(get_frozen_credentials=lambda: frozen)
    streams = ModelStreams("autoscaler", Access(credentials, "us-east-1", sys.argv[1]))
    world = memory_world()
    store = SlowStore()
    object.__setattr__(world, "store", store)
    put(world, awake("awake"))
    put(world, asleep("asleep", phase=Phase.WAKING))

    def wake(*_: object) -> None:
        store.woken = True

    signal.signal(signal.SIGUSR1, wake)
    env = gateway_settings({"GATEWAY_ACCESS": "keys", "GATEWAY_MOST_HELD": _HELD})
    nothing: Any = None  # no ticket is given here, and no answer kept
    gate = ByKey([Key(digest(KEY), "bench")])
    app = assembled(env, gate, world, streams, nothing, nothing)
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    place.listen(4096)  # before the port is told: a caller may be quicker than the server
    print(place.getsockname()[1], flush=True)
    server(app, env).run(sockets=[place])


if __name__ == "__main__":
    main()
