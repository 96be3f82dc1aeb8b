"""Puts the gateway together from the environment, and serves it until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import uvicorn
from botocore.exceptions import ClientError
from pydantic import Field, ValidationError
from starlette.applications import Starlette

from ..aws.clients import client, error_code
from ..aws.kept_answers import S3KeptAnswers
from ..aws.streaming import ModelStreams
from ..aws.tickets import Tickets
from ..control.world import World
from ..ports import Clock, KeptAnswers
from ..runtime.boundary import Variables
from ..runtime.settings import SettingsError, settings
from ..runtime.wiring import world
from .access import Access, CheckedByIam, KeysError, KeysGoneError, Renewed
from .answering import Answering, Pace
from .app import Parts, Waits, application
from .bodies import BODY_SECONDS, Bodies
from .held import Held
from .repeats import Repeats
from .states import States
from .stopping import Leaving, Server
from .traffic import Counted
from .wire import (
    HEAD_SECONDS,
    LAST_READ_SECONDS,
    MOST_CONNECTIONS,
    TAKE_SECONDS,
    WireLimits,
    within,
)

_KEEP_ALIVE_SECONDS = 75
_STOP_SECONDS = 10  # for what is answered when it stops; Docker kills after as many
_WAITING_CALLERS = 2048
_GONE = {"ResourceNotFoundException", "InvalidRequestException"}
_UNREADABLE = {"AccessDeniedException", "DecryptionFailure"}


class GatewaySettings(Variables):
    """What the template, or the command line, tells the gateway besides."""

    access: Literal["iam", "keys"] = Field(alias="GATEWAY_ACCESS")
    keys_secret: str = Field(default="", alias="GATEWAY_KEYS_SECRET")
    wait_seconds: float = Field(default=300, ge=0, alias="GATEWAY_WAIT_SECONDS")
    longest_wait_seconds: float = Field(default=3600, ge=0, alias="GATEWAY_LONGEST_WAIT_SECONDS")
    most_held: int = Field(default=1000, ge=0, alias="GATEWAY_MOST_HELD")
    most_held_mib: int = Field(default=64, ge=1, alias="GATEWAY_MOST_HELD_MIB")
    head_seconds: float = Field(default=HEAD_SECONDS, gt=0, alias="GATEWAY_HEAD_SECONDS")
    body_seconds: float = Field(default=BODY_SECONDS, gt=0, alias="GATEWAY_BODY_SECONDS")
    last_read_seconds: float = Field(
        default=LAST_READ_SECONDS, gt=0, alias="GATEWAY_LAST_READ_SECONDS"
    )
    take_seconds: float = Field(default=TAKE_SECONDS, gt=0, alias="GATEWAY_TAKE_SECONDS")
    most_connections: int = Field(default=MOST_CONNECTIONS, ge=1, alias="GATEWAY_MOST_CONNECTIONS")
    stop_seconds: int = Field(default=_STOP_SECONDS, ge=0, alias="GATEWAY_STOP_SECONDS")
    host: str = Field(default="127.0.0.1", alias="GATEWAY_HOST")
    port: int = Field(default=8080, alias="GATEWAY_PORT")
    function: str = Field(default="", alias="AWS_LAMBDA_FUNCTION_NAME")


def gateway_settings(environment: Mapping[str, str]) -> GatewaySettings:
    """Raises SettingsError naming what is wrong or missing."""
    try:
        return GatewaySettings.model_validate(dict(environment))
    except ValidationError as invalid:
        wrong = ", ".join(str(error["loc"][0]) for error in invalid.errors())
        raise SettingsError(f"the gateway's environment is wrong or lacks: {wrong}") from invalid


def access_by(env: GatewaySettings) -> Access:
    """Raises KeysError when keys are asked for and there is none."""
    if env.access == "iam":
        return CheckedByIam()
    if not env.keys_secret:
        raise KeysError("GATEWAY_KEYS_SECRET names no secret, and without keys nobody may call")

    return Renewed(lambda: _stored_keys(env.keys_secret))


def _stored_keys(secret: str) -> str:
    """As `Renewed` has it. One that is marked for deletion is an invalid request to AWS."""
    try:
        found = client("secretsmanager").get_secret_value(SecretId=secret)
    except ClientError as error:
        code = error_code(error)
        if code in _GONE:
            raise KeysGoneError(
                f"the secret {secret!r} of the gateway's keys is not there: {code}"
            ) from error
        if code in _UNREADABLE:
            raise KeysError(
                f"the secret {secret!r} of the gateway's keys cannot be read: {code}"
            ) from error
        raise
    return str(found.get("SecretString", ""))


def assembled(
    env: GatewaySettings,
    access: Access,
    seen: World,
    streams: ModelStreams,
    tickets: Tickets,
    kept: KeptAnswers,
    pace: Pace | None = None,
) -> Starlette:
    """The application over these parts."""
    states = States(seen)
    counted = Counted(seen, states, at_once=bool(env.function))
    leaving = Leaving()
    answering = Answering(
        clock=seen.clock,
        states=states,
        streams=streams,
        tickets=tickets,
        counted=counted,
        held=Held(env.most_held, env.most_held_mib * 1024 * 1024),
        pace=pace or Pace(),
        repeats=Repeats(seen, states, kept),
        leaving=leaving,
    )

    async def close() -> None:
        await streams.close()
        states.close()

    waits = Waits(env.wait_seconds, env.longest_wait_seconds)
    bodies, clock = Bodies(env.body_seconds), seen.clock
    parts = Parts(access, answering, bodies, states, counted, tickets, clock, waits, leaving, close)
    return application(parts)


def of_this_stack(
    env: GatewaySettings, access: Access | None = None, clock: Clock | None = None
) -> Starlette:
    """The application of the stack that the environment names."""
    stack = settings()
    seen = world() if clock is None else replace(world(), clock=clock)
    streams = ModelStreams(stack.stack_name)
    tickets = Tickets(stack.stack_name, stack.results_bucket)
    kept = S3KeptAnswers(stack.results_bucket)
    return assembled(env, access or access_by(env), seen, streams, tickets, kept)


def server(app: Starlette, env: GatewaySettings) -> uvicorn.Server:
    """Without a log of its own: it would hold paths and callers twice."""
    limits = WireLimits(
        env.head_seconds, env.last_read_seconds, env.take_seconds, env.most_connections
    )
    config = uvicorn.Config(
        app,
        host=env.host,
        port=env.port,
        http=within(limits),
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=env.stop_seconds,
        backlog=_WAITING_CALLERS,
    )
    return Server(config, getattr(app.state, "leaving", Leaving()))


def main() -> None:
    """What the Lambda Web Adapter starts."""
    env = gateway_settings(os.environ)
    server(of_this_stack(env), env).run()


if __name__ == "__main__":
    main()
