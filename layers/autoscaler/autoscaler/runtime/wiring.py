"""Ports with botocore, made once per execution environment.

What not every handler needs is imported by the function that makes it: it is a part of cold starts.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from ..aws.clock import SystemClock
from ..aws.container_logs import CloudWatchContainerLogs
from ..aws.events import BusAnnouncer
from ..aws.flows import StepFunctionsFlows
from ..aws.load import AwsLoadReader
from ..aws.readers import MappedReaders
from ..aws.scaler import SageMakerScaler
from ..aws.table import TableStore
from ..control.in_context import InContext
from ..control.world import World
from .settings import settings

if TYPE_CHECKING:
    from ..aws.late import S3LateModels
    from ..aws.model import SageMakerModels
    from ..control.desk import Desk


@cache
def world() -> World:
    """What the control loop looks at and moves."""
    env = settings()
    store = TableStore(env.table_name)
    return World(
        clock=SystemClock(),
        store=store,
        load=AwsLoadReader(env.stack_name),
        scaler=SageMakerScaler(env.stack_name),
        flows=StepFunctionsFlows(env.stack_name, env.machines()),
        announcer=InContext(BusAnnouncer(env.bus_name), store),
        logs=CloudWatchContainerLogs(env.stack_name),
        readers=MappedReaders(
            env.stack_name, f"{env.stack_name}-dispatch-requests", env.queue_arns
        ),
        wake=timedelta(seconds=env.wake_seconds),
        tick=timedelta(minutes=env.tick_minutes),
        mode=env.mode,
    )


@cache
def models() -> SageMakerModels:
    """The models of this stack."""
    from ..aws.model import SageMakerModels

    return SageMakerModels(settings().stack_name)


@cache
def late_models() -> S3LateModels:
    """The models of this stack that answer later."""
    from ..aws.late import S3LateModels

    env = settings()
    return S3LateModels(env.stack_name, env.results_bucket)


@cache
def desk() -> Desk:
    """The world and what the dispatcher needs besides."""
    from ..aws.bodies import S3Bodies
    from ..aws.kept_answers import S3KeptAnswers
    from ..aws.outlets import AwsOutlets
    from ..aws.requests import QueueRequests
    from ..aws.results import S3Results
    from ..aws.seen import TableSeen
    from ..aws.tenants import TableTenants
    from ..control.desk import Desk

    env = settings()
    return Desk(
        world=world(),
        models=models(),
        results=S3Results(env.results_bucket),
        requests=QueueRequests(env.stack_name),
        asked=TableSeen(env.table_name),
        late=late_models(),
        kept=S3KeptAnswers(env.results_bucket),
        bodies=S3Bodies(env.results_bucket),
        tenants=TableTenants(env.table_name),
        outlets=AwsOutlets(env.reply_queues.split(","), env.callback_hosts.split(",")),
    )
