"""`autoscaler gateway`: the HTTP gateway on this machine, in front of a deployed stack."""

from __future__ import annotations

import errno
import json
import math
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tools.cli import output
from tools.cli.client import CliError, RefusedError, StackClient

_WAITING_CALLERS = 2048
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class AccountClock:
    """The clock of an embedded account, which may run faster than the wall."""

    def __init__(self, moment: datetime, speed: float) -> None:
        self._moment, self._speed, self._began = moment, speed, time.monotonic()

    def now(self) -> datetime:
        passed = (time.monotonic() - self._began) * self._speed
        return self._moment + timedelta(seconds=passed)


def gateway(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8080,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine only by --keys.")
    ] = "127.0.0.1",
    keys: Annotated[
        str | None, typer.Option(help="Secrets Manager secret with the digests of keys.")
    ] = None,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Everybody on this machine may call.")
    ] = False,
    wait: Annotated[
        float, typer.Option(help="Seconds for which a request of a model that sleeps is held.")
    ] = 300,
) -> None:
    """Serves OpenAI's API on this machine, in front of the stack; until Ctrl-C.

    Without --keys a key is made for this session, and shown once.
    """
    if host not in _LOOPBACK and not keys:
        raise RefusedError(
            [f"--host: {host!r} is reached from elsewhere; give --keys too, or stay on 127.0.0.1"]
        )
    if keys and no_key:
        raise RefusedError(["--no-key and --keys do not go together"])
    if not (math.isfinite(wait) and wait >= 0):
        raise RefusedError([f"--wait: {wait:g} is no time to wait: write seconds, 0 or more"])
    client: StackClient = context.obj
    os.environ.update(_environment(client))
    os.environ.update(
        GATEWAY_ACCESS="keys" if keys else "iam",
        GATEWAY_KEYS_SECRET=keys or "",
        GATEWAY_WAIT_SECONDS=str(wait),
        GATEWAY_HOST=host,
        GATEWAY_PORT=str(port),
    )
    _serve(None if keys or no_key else _new_key(), _clock())


def gateway_key(
    tenant: Annotated[
        str, typer.Option(help="Whose key it is; empty: nobody's in particular.")
    ] = "",
) -> None:
    """Makes a key for the gateway: shows it once, and the entry for the secret of its digests."""
    from autoscaler.gateway.access import KeysError, digest, keys_of, new_key

    key = new_key()
    entry = {"sha256": digest(key), **({"tenant": tenant} if tenant else {})}
    try:
        keys_of(json.dumps({"keys": [entry]}))
    except KeysError:
        why = f"--tenant: {tenant!r:.80} is not 1 to 64 of letters, digits and _ . -"
        raise RefusedError([why]) from None
    output.errors.print("The key, for its owner; it is not kept anywhere:", highlight=False)
    typer.echo(key)
    output.errors.print('The entry for the secret, {"keys": [ENTRY, ...]}:', highlight=False)
    typer.echo(json.dumps(entry))


def _serve(key: str | None, clock: AccountClock | None) -> None:
    # Imported only now: the command line starts without a web server, and the layer's clients
    # see the environment as it was set above.
    from autoscaler.gateway.access import ByKey, Key, KeysError, digest
    from autoscaler.gateway.serve import gateway_settings, of_this_stack, server
    from autoscaler.runtime.logs import logger
    from autoscaler.runtime.settings import SettingsError

    try:
        env = gateway_settings(os.environ)
        app = of_this_stack(env, ByKey([Key(digest(key))]) if key else None, clock)
    except (KeysError, SettingsError) as wrong:
        raise CliError(str(wrong)) from None
    with _listening(env.host, env.port) as place:
        address = _address(env.host, place.getsockname()[1])
        output.errors.print(f"The gateway listens at {address}, until Ctrl-C.", highlight=False)
        typer.echo(f"export OPENAI_BASE_URL={address}")
        typer.echo(f"export OPENAI_API_KEY={key or 'a-key-of-yours'}")
        sys.stdout.flush()  # whoever reads it through a pipe waits for it
        # In the account the log is Lambda's; here standard output is for what is to be exported.
        logger.registered_handler.setStream(sys.stderr)
        server(app, env).run(sockets=[place])


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def _listening(host: str, port: int) -> socket.socket:
    """Raises CliError for a port that somebody has, and for a host that is not here."""
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
        place.listen(_WAITING_CALLERS)
    except (OSError, UnicodeError) as wrong:
        place.close()
        if _is_elsewhere(wrong):
            raise CliError(
                f"--host: {host!r:.80} is no address of this machine; name one, as 127.0.0.1 or "
                "0.0.0.0"
            ) from None
        raise CliError(
            f"--port: {port} cannot be used on {host}: {_why(wrong)}; name another, or 0"
        ) from None
    return place


def _is_elsewhere(wrong: Exception) -> bool:
    """Whether it is the host's fault: no name, one that nothing has, or another machine's."""
    if isinstance(wrong, socket.gaierror | UnicodeError):
        return True
    unusable = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return isinstance(wrong, OSError) and wrong.errno in unusable


def _why(wrong: Exception) -> str:
    return getattr(wrong, "strerror", None) or str(wrong)


def _new_key() -> str:
    from autoscaler.gateway.access import new_key

    return new_key()


def _environment(client: StackClient) -> dict[str, str]:
    """What the template would tell the function, from the stack's outputs."""
    found, outputs = client.found(), client.outputs
    _, partition, _, region, account, _ = str(found["StackId"]).split(":", 5)
    missing = [n for n in ("TableName", "BusName", "ResultsBucketName") if n not in outputs]
    if missing:
        raise CliError(f"the stack {client.stack!r} has no output {missing[0]}: deploy it anew")
    return {
        "STACK_NAME": client.stack,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "TABLE_NAME": outputs["TableName"],
        "BUS_NAME": outputs["BusName"],
        "RESULTS_BUCKET": outputs["ResultsBucketName"],
        "FLOW_ARN_PREFIX": (
            f"arn:{partition}:states:{region}:{account}:stateMachine:{client.stack}-"
        ),
    }


def _clock() -> AccountClock | None:
    """None: the machine's own. An embedded account says its time and its speed."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(url).hostname not in _LOOPBACK:
        return None
    try:
        with urllib.request.urlopen(f"{url}/_embedded/status", timeout=2) as reply:
            said: Mapping[str, Any] = json.load(reply)
        return AccountClock(datetime.fromisoformat(said["time"]).astimezone(UTC), said["speed"])
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None  # something else that speaks AWS's language here
