"""What the demo runs in: the account, a Hub, a Slack; and eyes on all of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from autoscaler.catalog.prices import usd_per_hour
from tools.cli.client import StackClient
from tools.embedded.kernel.account import Account
from tools.hub.server import HubServer
from tools.receiver import SlackReceiver

STACK = "autoscaler"
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Seen:
    """One look at the endpoint, by the CLI's own `get`."""

    at: datetime
    phase: str
    copies: int
    instances: int
    backlog: int
    failure: str | None
    desired: int

    @property
    def settled(self) -> bool:
        """Whether no copy and no instance is on its way; in the demo each copy has its own."""
        return self.desired == self.copies == self.instances


class Stage:
    """The running scene; everything that is measured is read here."""

    def __init__(
        self, account: Account, hub: HubServer, slack: SlackReceiver, name: str, folder: Path
    ) -> None:
        self.account, self.hub, self.slack, self.name, self.folder = (
            account, hub, slack, name, folder,
        )  # fmt: skip
        self.client = _EmbeddedClient(account)
        self.seen: list[Seen] = []
        self.ticks = 0  # looks of the controller at all endpoints that are over
        account.runtime.on_invocation.append(self._invoked)

    @property
    def resource(self) -> str:
        return f"{STACK}-{self.name}"

    @cached_property
    def queue_url(self) -> str:
        return str(self.account.boto("sqs").get_queue_url(QueueName=self.resource)["QueueUrl"])

    def _invoked(self, function: str, _milliseconds: float, _failed: bool) -> None:
        self.ticks += function == f"{STACK}-reconcile"

    def stage_model(self, model_id: str) -> dict[str, Any]:
        """Runs `stage_weights`; returns what it says at its end, {} if it failed."""
        states = self.account.boto("stepfunctions")
        started = states.start_execution(
            stateMachineArn=f"arn:aws:states:{self.account.region}:{self.account.account_id}"
            f":stateMachine:{STACK}-stage-weights",
            input=json.dumps({"model_id": model_id}),
        )["executionArn"]
        while (seen := states.describe_execution(executionArn=started))["status"] == "RUNNING":
            time.sleep(_LOOK_SECONDS)
        return dict(json.loads(seen["output"])) if seen["status"] == "SUCCEEDED" else {}

    def stored_sha256(self, prefix_uri: str, path: str) -> str | None:
        """What S3 itself says of a staged file, in hex."""
        bucket, _, prefix = prefix_uri.removeprefix("s3://").partition("/")
        try:
            found = self.account.boto("s3").head_object(
                Bucket=bucket, Key=prefix + path, ChecksumMode="ENABLED"
            )
        except ClientError:
            return None
        return base64.b64decode(found.get("ChecksumSHA256", "")).hex()

    def describe(self) -> dict[str, Any]:
        """The endpoint, as `autoscaler get` tells of it."""
        return dict(self.client.command("get", endpoint=self.name)["endpoints"][0])

    def look(self) -> Seen:
        """Phase by the product, copies and instances by SageMaker."""
        one = self.describe()
        copies, instances = self.capacity()
        seen = Seen(
            self.account.clock.now(),
            one["phase"],
            copies,
            instances,
            one["backlog"] or 0,
            one["failure"],
            one["desired_copies"],
        )
        self.seen.append(seen)
        return seen

    def capacity(self) -> tuple[int, int]:
        """Copies in service and instances, as SageMaker describes them; zero: it has none."""
        sagemaker = self.account.boto("sagemaker")
        try:
            component = sagemaker.describe_inference_component(InferenceComponentName=self.resource)
            endpoint = sagemaker.describe_endpoint(EndpointName=self.resource)
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                return 0, 0
            raise
        variants = endpoint.get("ProductionVariants", ())  # none while it is created
        return (
            component["RuntimeConfig"]["CurrentCopyCount"],
            sum(variant["CurrentInstanceCount"] for variant in variants),
        )

    def results(self) -> dict[str, Mapping[str, Any]]:
        """All stored answers by request id."""
        s3, bucket = self.account.boto("s3"), self.client.outputs["ResultsBucketName"]
        found: dict[str, Mapping[str, Any]] = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="results/"):
            for item in page.get("Contents", ()):
                body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                found[Path(item["Key"]).stem] = json.loads(body)
        return found

    def answered(self) -> int:
        """How many answers are stored."""
        s3, bucket = self.account.boto("s3"), self.client.outputs["ResultsBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="results/")
        return sum(page.get("KeyCount", 0) for page in pages)

    def dead_letters(self) -> int:
        sqs = self.account.boto("sqs")
        url = sqs.get_queue_url(QueueName=f"{self.resource}-dlq")["QueueUrl"]
        attributes = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def executions(self, flow: str) -> list[Mapping[str, Any]]:
        """Executions of a state machine, newest first."""
        states = self.account.boto("stepfunctions")
        arn = (
            f"arn:aws:states:{self.account.region}:{self.account.account_id}"
            f":stateMachine:{STACK}-{flow}"
        )
        return list(states.list_executions(stateMachineArn=arn)["executions"])

    def billed_usd(self) -> float:
        """What SageMaker's own books come to at the catalogue's prices."""
        now = self.account.clock.time()
        return sum(
            price(kind) * ((gone or now) - asked) / 3600
            for _, kind, _, asked, gone in self.account.sagemaker.billed()
        )

    def said(self) -> list[str]:
        """What Slack shows of every message in a notification."""
        return [unescape(message.get("text", "")) for message in self.slack.messages]

    def trouble(self) -> list[str]:
        """What failed, for whoever has to find out why."""
        lines = []
        for name, function in self.account.runtime.deployed.items():
            bad = [line for line in function.log if "[ERROR]" in line or '"ERROR"' in line]
            lines += [f"{name}: {line[:400]}" for line in bad[-2:]]
        states = self.account.boto("stepfunctions")
        for machine in states.list_state_machines()["stateMachines"]:
            found = states.list_executions(stateMachineArn=machine["stateMachineArn"])
            for execution in found["executions"]:
                if execution["status"] in ("RUNNING", "SUCCEEDED"):
                    continue
                told = states.describe_execution(executionArn=execution["executionArn"])
                lines.append(f"{execution['name']}: {told.get('error')}: {told.get('cause')}"[:500])
        return lines


class _EmbeddedClient(StackClient):
    """The CLI's client, with the embedded account's address and credentials."""

    def __init__(self, account: Account) -> None:
        super().__init__(STACK)
        self._account = account

    def boto(self, service: str) -> Any:
        return self._account.boto(service)


def price(instance_type: str) -> float:
    """Dollars an hour, from the catalogue."""
    usd = usd_per_hour(instance_type)
    if usd is None:
        raise LookupError(f"the catalogue has no price of {instance_type}")
    return float(usd)
