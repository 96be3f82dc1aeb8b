"""The gateway on a stack of the embedded account, in the account's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoscaler.aws.clients import Access
from autoscaler.aws.container_logs import CloudWatchContainerLogs
from autoscaler.aws.events import BusAnnouncer
from autoscaler.aws.flows import StepFunctionsFlows
from autoscaler.aws.kept_answers import S3KeptAnswers
from autoscaler.aws.load import AwsLoadReader
from autoscaler.aws.readers import MappedReaders
from autoscaler.aws.scaler import SageMakerScaler
from autoscaler.aws.streaming import ModelStreams
from autoscaler.aws.table import TableStore
from autoscaler.aws.tickets import Tickets
from autoscaler.control.world import World
from autoscaler.gateway.access import Access as Gate
from autoscaler.gateway.access import CheckedByIam
from autoscaler.gateway.answering import Pace
from autoscaler.gateway.serve import assembled
from autoscaler.ports import Flow
from tests.embedded.canaries import Net
from tests.embedded.stack import Stack
from tests.gateway import environment, overheard, running

STACK = "autoscaler"
GATEWAY = {"GatewayAccess": "iam"}  # what a stack is to be deployed with


class AccountTime:
    """The account's clock, as the gateway's."""

    def __init__(self, stack: Stack) -> None:
        self._clock = stack.account.clock

    def now(self) -> datetime:
        return self._clock.now()


def clients(stack: Stack) -> Callable[[str], Any]:
    """Clients with the rights of the gateway's own role; the stack is deployed with GATEWAY."""
    account = stack.account
    session = account.runtime.session(f"{STACK}-gateway")

    @cache
    def boto(service: str) -> Any:
        return boto3.client(
            service, region_name=account.region, endpoint_url=account.endpoint_url, **session
        )

    return boto


def world_of(stack: Stack, boto: Callable[[str], Any]) -> World:
    account = stack.account
    machines = f"arn:aws:states:{account.region}:{account.account_id}:stateMachine:{STACK}-"
    queues = f"arn:aws:sqs:{account.region}:{account.account_id}:"
    return World(
        clock=AccountTime(stack),
        store=TableStore(stack.outputs["TableName"], boto("dynamodb")),
        load=AwsLoadReader(STACK, boto("sqs"), boto("cloudwatch")),
        scaler=SageMakerScaler(STACK, boto("sagemaker"), boto("application-autoscaling")),
        flows=StepFunctionsFlows(
            STACK, {flow: machines + flow.replace("_", "-") for flow in Flow}, boto("stepfunctions")
        ),
        announcer=BusAnnouncer(stack.outputs["BusName"], boto("events")),
        logs=CloudWatchContainerLogs(STACK, boto("logs")),
        readers=MappedReaders(STACK, f"{STACK}-dispatch-requests", queues, boto("lambda")),
    )


def streams_of(stack: Stack) -> ModelStreams:
    account = stack.account
    session = account.runtime.session(f"{STACK}-gateway")
    key, secret, token = session.values()
    frozen = SimpleNamespace(access_key=key, secret_key=secret, token=token)
    credentials: Any = SimpleNamespace(get_frozen_credentials=lambda: frozen)
    return ModelStreams(STACK, Access(credentials, account.region, account.endpoint_url))


@contextmanager
def gateway(stack: Stack, access: Gate | None = None, **changes: str) -> Iterator[str]:
    """The address of a gateway of its own."""
    env = environment(**changes)
    boto = clients(stack)
    tickets = Tickets(STACK, stack.outputs["ResultsBucketName"], boto("s3"), boto("sqs"))
    kept = S3KeptAnswers(stack.outputs["ResultsBucketName"], boto("s3"))
    pace = Pace(comment_seconds=0.4, look_seconds=0.2, retry_seconds=0.3)
    parts = (
        access or CheckedByIam(),
        world_of(stack, boto),
        streams_of(stack),
        tickets,
        kept,
        pace,
    )
    app = assembled(env, *parts)
    app.add_middleware(_Answered, net=stack.net)
    logged = overheard(lambda line: stack.net.look("log of the gateway", line))
    with logged, running(app, env) as address:
        yield address


class _Answered:
    """Looks for keys in what callers are told."""

    def __init__(self, app: ASGIApp, net: Net) -> None:
        self._app, self._net = app, net

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def look(message: Message) -> None:
            if scope["type"] == "http":
                text = f"{message.get('headers', '')}{message.get('body', b'')!r}"
                self._net.look_for_keys("an answer of the gateway", text)
            await send(message)

        await self._app(scope, receive, look)


def said(address: str, path: str, **arguments: Any) -> httpx.Response:
    return httpx.request(
        "POST" if "json" in arguments or "content" in arguments else "GET",
        f"{address}{path}",
        timeout=120,
        **arguments,
    )
