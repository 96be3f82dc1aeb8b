"""The embedded AWS account: one process, one HTTP endpoint, one clock.

moto answers for most services; what it lacks is beside it: CloudFormation with the SAM transform
(`engine`), Lambda in processes of their own (`runtime`), the state machine interpreter in
simulated time (`states`), SageMaker (`tools.embedded.sagemaker`), Application Auto Scaling
(`tools.embedded.scaling`), and what happens by itself (`tools.embedded.pump`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.embedded.kernel import moto_time
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.kernel.outlets import Objects, log_writer, publisher
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION

_CREDENTIALS = "embedded"


class Account:
    """A running account; `stop` leaves no process and no thread behind.

    `state_dir` holds the clock's file. `speed` is simulated seconds per wall second.
    """

    account_id = ACCOUNT_ID
    region = DEFAULT_REGION
    credentials = _CREDENTIALS  # of whoever owns the account; roles have others

    def __init__(
        self,
        state_dir: Path,
        *,
        start: datetime | None = None,
        speed: float = 1.0,
        port: int = 0,
    ) -> None:
        self.state_dir = state_dir
        self.clock = AccountClock(state_dir / "clock", start or datetime.now(UTC), speed)
        os.environ["MOTO_ACCOUNT_ID"] = self.account_id
        moto_time.install(self.clock)
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._start(port)

    def _start(self, port: int) -> None:
        # Imported only now: moto's modules must see the account's time.
        from tools.embedded.iam.account_view import AccountView
        from tools.embedded.iam.acting import Acting
        from tools.embedded.iam.guard import Guard
        from tools.embedded.kernel import (
            bucket_policies,
            conditional_writes,
            lambda_api,
            plain_values,
            remembered,
            states,
            transactions,
        )
        from tools.embedded.kernel.engine import Engine
        from tools.embedded.kernel.front import Front
        from tools.embedded.kernel.runtime import Runtime
        from tools.embedded.pump import Pump

        self.front = Front(self, port)
        self.endpoint_url = self.front.url
        os.environ["MOTO_PORT"] = str(self.front.port)
        self.runtime = self.functions = Runtime(self)
        self.engine = Engine(self)
        states.install(self.clock, self.endpoint_url)
        lambda_api.install(self.runtime)
        remembered.install()
        bucket_policies.install()
        transactions.install()
        conditional_writes.install()
        plain_values.install()
        self.pump = Pump(self)
        self.runtime.on_log_line.append(self.pump.ingest_log_line)
        self.runtime.on_invocation.append(self.pump.function_invoked)
        self._add_services()
        view = AccountView(self)
        self.iam = self.front.guard = Guard(view)
        self.acting = self.sagemaker.world.acting = Acting(self.iam, view, self.runtime)
        self.pump.start()

    def _add_services(self) -> None:
        from tools.embedded.kernel import tag_index
        from tools.embedded.kernel.cloudformation import CloudFormationService
        from tools.embedded.pricing.service import PricingService
        from tools.embedded.quotas.service import QuotaService
        from tools.embedded.sagemaker import SageMakerService
        from tools.embedded.scaling import AutoScalingService

        objects = Objects(self.boto)
        self.sagemaker = SageMakerService(
            self.clock,
            self.pump,
            self.pump,
            region=self.region,
            account_id=self.account_id,
            weights=objects.any_under,
            blobs=objects,
            notify=publisher(self.boto),
            write_log=log_writer(self.region, self.account_id),
        )
        tag_index.install(self.sagemaker.tagged)
        read_metric = self.pump.read_customized
        self.scaling = AutoScalingService(self.clock, self.sagemaker, read_metric)
        self.pricing = PricingService(self.clock)
        self.quotas = QuotaService(self.clock, self.region, self.account_id)
        formation = CloudFormationService(self.engine)
        for service in (self.sagemaker, self.scaling, self.pricing, self.quotas, formation):
            self.front.add(service)

    def deploy(
        self, template: Path, stack: str = "autoscaler", parameters: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Deploys a SAM template; returns the stack's outputs. Raises TemplateError."""
        return self.engine.deploy(template, stack, dict(parameters or {})).outputs

    def update(
        self, template: Path, stack: str = "autoscaler", parameters: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Brings a stack to another template; returns its outputs. Raises TemplateError."""
        return self.engine.update(template, stack, dict(parameters or {})).outputs

    def boto(self, service: str) -> Any:
        """A client with the account's own credentials."""
        import boto3
        from botocore.config import Config

        with self._clients_lock:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service,
                    region_name=self.region,
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=_CREDENTIALS,
                    aws_secret_access_key=_CREDENTIALS,
                    config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
                )
            return self._clients[service]

    def environment(self) -> dict[str, str]:
        """What to export so that any AWS SDK or the AWS CLI talks to this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": _CREDENTIALS,
            "AWS_SECRET_ACCESS_KEY": _CREDENTIALS,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def stop(self) -> None:
        self.pump.stop()
        self.scaling.close()
        self.sagemaker.close()
        self.runtime.close()
        self.front.close()
        self.iam.close()

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
