"""The gateway on a stack of the embedded account, in the account's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import httpx

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
from tests.embedded.stack import Stack
from tests.gateway import environment, running

STACK = "autoscaler"


class AccountTime:
    """The account's clock, as the gateway's."""

    def __init__(self, stack: Stack) -> None:
        self._clock = stack.account.clock

    def now(self) -> datetime:
        return self._clock.now()


def world_of(stack: Stack) -> World:
    account, boto = stack.account, stack.account.boto
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
    frozen = SimpleNamespace(access_key="embedded", secret_key="embedded", token=None)
    credentials: Any = SimpleNamespace(get_frozen_credentials=lambda: frozen)
    return ModelStreams(STACK, Access(credentials, account.region, account.endpoint_url))


@contextmanager
def gateway(stack: Stack, access: Gate | None = None, **changes: str) -> Iterator[str]:
    """The address of a gateway of its own."""
    env = environment(**changes)
    boto = stack.account.boto
    tickets = Tickets(STACK, stack.outputs["ResultsBucketName"], boto("s3"), boto("sqs"))
    kept = S3KeptAnswers(stack.outputs["ResultsBucketName"], boto("s3"))
    pace = Pace(comment_seconds=0.4, look_seconds=0.2, retry_seconds=0.3)
    parts = (access or CheckedByIam(), world_of(stack), streams_of(stack), tickets, kept, pace)
    with running(assembled(env, *parts), env) as address:
        yield address


def said(address: str, path: str, **arguments: Any) -> httpx.Response:
    return httpx.request(
        "POST" if "json" in arguments or "content" in arguments else "GET",
        f"{address}{path}",
        timeout=120,
        **arguments,
    )
