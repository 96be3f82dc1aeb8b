"""Runs the account in the foreground: STATE TEMPLATE STACK SPEED PORT [MODEL ...].

See `daemon.start`, which starts this in the background.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from tools.embedded import process_file
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.front import PortError
from tools.embedded.kernel.intrinsics import TemplateError
from tools.hub.repository import make_repository
from tools.hub.server import HubServer

_SHARD_BYTES = 1 << 20


def main() -> None:
    state, template, stack, speed, port = sys.argv[1:6]
    folder = Path(state)
    folder.mkdir(parents=True, exist_ok=True)
    process_file.record(folder / "pid")
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
            _write_whole(folder / "ready.json", json.dumps(account.environment()))
            over.wait()
    except (PortError, TemplateError) as wrong:
        sys.exit(str(wrong))
    finally:
        (folder / "ready.json").unlink(missing_ok=True)
        process_file.forget(folder / "pid")


def _write_whole(path: Path, text: str) -> None:
    """Who waits for the file never reads half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


main()
