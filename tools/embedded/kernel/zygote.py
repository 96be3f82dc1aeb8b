"""A process that has imported what every handler imports, and forks one from itself on request.

Importing boto3, pydantic and Powertools takes most of a second of one core; a fork takes a few
milliseconds. Each handler still has a process, an environment and a folder of its own. Only on
Linux, where forking a process without threads is safe; elsewhere every handler starts from zero.

What a layer of functions adds is imported by a fork of this process, for each state of that layer's
files one: of the layer those modules that neither read an environment nor log, so that it is the
same before as after a function's environment is known.

Runs as a program: one message of JSON a launch on the inherited socket, with the write end of the
pipe that takes the child's output; the reply is the child's process id.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_MOST_BYTES = 1 << 20
_MOST_DESCRIPTORS = 1024
# Not awslambdaric: its client reads the address of its runtime API when it is imported. Of pydantic
# its parts: the package imports them only when they are used.
PRELOADED = (
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
# The folders of a layer, and its files with their sizes and times.
_State = tuple[str, tuple[tuple[str, int, int, int], ...]]
# What every client needs of botocore's descriptions, and the services whose own are long.
_DESCRIBED = ("dynamodb", "s3", "sagemaker", "secretsmanager")
PACKAGE = "autoscaler"
# Modules that bring most of what lies below `runtime` and `aws` in the layer.
OF_THE_LAYER = (
    "autoscaler.control.observe",
    "autoscaler.endpoints.withheld",
    "autoscaler.endpoints.bursts",
    "autoscaler.alerts.events.registry",
    "autoscaler.staging.job",
    "autoscaler.control.reconcile",
    "autoscaler.control.apply",
    "autoscaler.control.dispatch",
    "autoscaler.alerts.notify",
)


def main() -> None:
    import bootstrap  # beside this file

    bootstrap.die_with_parent()
    for name in PRELOADED:
        importlib.import_module(name)
    _read_descriptions()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the account's to answer
    gc.freeze()  # what is here is garbage of no copy's, and not looked through by any
    control = socket.socket(fileno=int(sys.argv[1]))
    warm: dict[_State, socket.socket] = {}
    _serve(control, lambda environ, output: _launched(environ, output, warm))


def _serve(control: socket.socket, launch: Callable[[dict[str, str], int], int]) -> None:
    """Answers each message with the process id that `launch` gives, until there will be none."""
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 1)
        if not message:
            return
        pid = launch(json.loads(message), fds[0])
        os.close(fds[0])
        control.sendall(f"{pid}\n".encode())


def _forked(environ: dict[str, str], output: int) -> int:
    if pid := os.fork():
        return pid
    _become(environ, output)
    raise AssertionError("a handler's process does not come back")


def _launched(environ: dict[str, str], output: int, warm: dict[_State, socket.socket]) -> int:
    """From the fork that has its layer, if it has one; from a new one, if somebody ended that."""
    state = _state_of(environ["PYTHONPATH"])
    for _ in range(2 if state else 0):
        if state not in warm:
            warm[state] = _warmed(environ)
        with suppress(OSError, ValueError):
            socket.send_fds(warm[state], [json.dumps(environ).encode()], [output])
            return int(warm[state].recv(64))
        warm.pop(state).close()
    return _forked(environ, output)


def _state_of(paths: str) -> _State | None:
    """Of the layer that lies there, as its files are now; None: no such layer."""
    package = next((p for f in paths.split(os.pathsep) if (p := Path(f, PACKAGE)).is_dir()), None)
    if package is None:
        return None
    files = ((path, path.stat()) for path in sorted(package.rglob("*.py")))
    return paths, tuple((str(path), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in files)


def _warmed(environ: dict[str, str]) -> socket.socket:
    """Of a fork that has imported what lies there."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        os.closerange(3, theirs.fileno())
        os.closerange(theirs.fileno() + 1, _MOST_DESCRIPTORS)
        _serve_warm(environ, theirs)
    theirs.close()
    return ours


def _serve_warm(environ: dict[str, str], control: socket.socket) -> None:
    """Never returns."""
    import bootstrap

    bootstrap.die_with_parent()
    _compile_to(environ)
    before = list(sys.path)
    sys.path[:0] = environ["PYTHONPATH"].split(os.pathsep)
    for name in OF_THE_LAYER:
        with suppress(Exception, SystemExit):  # a handler that needs it says what is wrong with it
            importlib.import_module(name)
    sys.path[:] = before
    gc.freeze()
    _serve(control, _forked)
    os._exit(0)


def _read_descriptions() -> None:
    """Most of what it takes to make a client is to read what its service is like. Each file is
    handed out once: who has it may change it, and the next shall have it as it is written."""
    from botocore.loaders import JSONFileLoader, Loader

    loader, files = Loader(), JSONFileLoader()
    names = ["endpoints", "partitions", "sdk-default-configuration"]
    for service in _DESCRIBED:
        for kind in ("service-2", "endpoint-rule-set-1"):
            version = loader.determine_latest_version(service, kind)
            names.append(f"{service}/{version}/{kind}")
    places = [str(Path(place, name)) for place in loader.search_paths for name in names]
    kept = {path: files.load_file(path) for path in places if files.exists(path)}
    read = JSONFileLoader.load_file

    def once(self: JSONFileLoader, path: str) -> object:
        return kept.pop(path, None) or read(self, path)

    JSONFileLoader.load_file = once  # type: ignore[method-assign]


def _compile_to(environ: dict[str, str]) -> None:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = environ["PYTHONPYCACHEPREFIX"]


def _become(environ: dict[str, str], output: int) -> None:
    """The child: its own session, output, environment and folder; never returns."""
    import bootstrap

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, _MOST_DESCRIPTORS)  # those by which launches are asked for
    os.environ.clear()
    os.environ.update(environ)
    _compile_to(environ)
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
