"""Runs the account in the foreground: STATE TEMPLATE STACK SPEED PORT [MODEL ...].

See `daemon.start`, which starts this in the background.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from tools.embedded.kernel.account import Account
from tools.hub.repository import make_repository
from tools.hub.server import HubServer

_SHARD_BYTES = 1 << 20


def main() -> None:
    state, template, stack, speed, port = sys.argv[1:6]
    folder = Path(state)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pid").write_text(str(os.getpid()))
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        repositories = [make_repository(model, shard_bytes=_SHARD_BYTES) for model in sys.argv[6:]]
        with (
            HubServer(repositories) as hub,
            Account(folder, speed=float(speed), port=int(port)) as account,
        ):
            parameters = {"HubEndpoint": hub.endpoint} if repositories else {}
            account.deploy(Path(template), stack, parameters)
            (folder / "ready.json").write_text(json.dumps(account.environment()))
            over.wait()
    finally:
        (folder / "pid").unlink(missing_ok=True)
        (folder / "ready.json").unlink(missing_ok=True)


main()
