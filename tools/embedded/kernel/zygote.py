"""A process that has imported what every handler imports, and forks one from itself on request.

Importing boto3, pydantic and Powertools takes most of a second of one core; a fork takes a few
milliseconds. Each handler still has a process, an environment and a folder of its own. Only on
Linux, where forking a process without threads is safe; elsewhere every handler starts from zero.

Runs as a program: one message of JSON a launch on the inherited socket, with the write end of the
pipe that takes the child's output; the reply is the child's process id.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

_MOST_BYTES = 1 << 20
# Not awslambdaric: its client reads the address of its runtime API when it is imported. Of pydantic
# its parts: the package imports them only when they are used.
_PRELOADED = (
    "boto3",
    "pydantic.main",
    "pydantic.type_adapter",
    "pydantic.dataclasses",
    "pydantic._internal._generate_schema",
    "pydantic.plugin._loader",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.utilities.typing",
    "slack_sdk.webhook",
    "zoneinfo",
)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    import importlib

    import bootstrap

    bootstrap.die_with_parent()
    for name in _PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the account's to answer
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _become(json.loads(message), fds[0])
        os.close(fds[0])
        control.sendall(f"{pid}\n".encode())


def _become(launch: dict[str, object], output: int) -> None:
    """The child: its own session, output, environment and folder; never returns."""
    import bootstrap

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(launch["environ"])  # type: ignore[arg-type]
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]
    folder = os.environ["LAMBDA_TASK_ROOT"]
    os.chdir(folder)
    sys.argv = ["bootstrap", os.environ["_HANDLER"]]
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [folder, *paths, *[entry for entry in sys.path if entry not in paths]]
    status = 1
    try:
        bootstrap.main()
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
