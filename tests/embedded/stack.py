"""The real template in an embedded account, with a Hub and a Slack: what the flow tests run in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from autoscaler.aws.table import TableStore
from autoscaler.gateway.access import digest
from tests.embedded.canaries import GATEWAY_KEY, HUB_TOKEN, Net, settle
from tests.embedded.inventory import inventory
from tests.samples import document
from tools.embedded.kernel.account import Account
from tools.hub.repository import make_repository
from tools.hub.server import HubServer
from tools.receiver import SlackReceiver

ROOT = Path(__file__).parents[2]
MODEL = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
GATED = "meta-llama/Llama-3.1-8B"
TUESDAY_NIGHT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SPEED = 90.0
TICK_SECONDS = 60.0
PATIENCE_SECONDS = 180  # of the wall: only who fails waits so long, and machines are shared


@dataclass
class Stack:
    """A deployed stack and the ways to use it."""

    account: Account
    hub: HubServer
    slack: SlackReceiver
    outputs: dict[str, str]
    before: dict[str, list[str]]  # what was in the account before the stack
    looks: list[float] = field(default_factory=list)  # of the wall, when a reconcile was over

    def __post_init__(self) -> None:
        self.net = Net(self, [self.slack.url.partition("/services/")[2]])
        self.account.runtime.on_invocation.append(self._invoked)

    def _invoked(self, function: str, _milliseconds: float, _failed: bool) -> None:
        if function == "autoscaler-reconcile":
            self.looks.append(time.monotonic())

    @property
    def longest_tick(self) -> float:
        """Simulated seconds between two looks of the controller, or since the last one: more on a
        busy machine."""
        gaps = (later - earlier for earlier, later in pairwise([*self.looks, time.monotonic()]))
        return max(TICK_SECONDS, max(gaps) * SPEED)

    @contextmanager
    def without_ticks(self) -> Iterator[None]:
        """No tick comes inside, and those of before are over: what happens is not their work."""
        scheduler = self.account.boto("scheduler")
        tick = scheduler.get_schedule(Name="autoscaler-tick")
        kept = {k: tick[k] for k in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**kept, State="DISABLED")
        try:
            reconcile = self.account.runtime.find("autoscaler-reconcile")
            self.account.runtime.invoke(reconcile.name, b"{}")  # after what was fired already
            wait_for(lambda: reconcile.working, lambda working: not working, "the ticks of before")
            yield
        finally:
            scheduler.update_schedule(**kept, State="ENABLED")

    def command(self, command: str, **arguments: Any) -> dict[str, Any]:
        body = json.dumps({"command": command, **arguments}).encode()
        reply = self.account.boto("lambda").invoke(
            FunctionName=self.outputs["CommandFunctionName"], Payload=body
        )
        answer = json.loads(reply["Payload"].read())
        self.net.look(f"the answer to {command}", json.dumps(answer))
        assert "FunctionError" not in reply, answer
        return answer

    def apply(self, name: str, **changes: Any) -> dict[str, Any]:
        return self.command("apply", document=document(name, **changes))

    def get(self, name: str) -> dict[str, Any]:
        answer = self.command("get", endpoint=name)
        return answer["result"]["endpoints"][0] if answer["ok"] else {"phase": None}

    def until(self, name: str, phase: str | None) -> dict[str, Any]:
        """Waits for a phase (None: gone); fails with what was seen instead."""
        return wait_for(lambda: self.get(name), lambda one: one["phase"] == phase, phase)

    def ask(self, name: str, body: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.net.asked(body)
        sqs = self.account.boto("sqs")
        url = sqs.get_queue_url(QueueName=f"autoscaler-{name}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=text)

    def result(self, name: str, request_id: str) -> dict[str, Any]:
        s3, bucket = self.account.boto("s3"), self.outputs["ResultsBucketName"]
        key = f"results/{name}/{request_id}.json"

        def look() -> int:
            return s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]

        wait_for(look, bool, f"result {request_id}")
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def dead_letters(self, name: str) -> list[dict[str, Any]]:
        sqs = self.account.boto("sqs")
        url = sqs.get_queue_url(QueueName=f"autoscaler-{name}-dlq")["QueueUrl"]
        return sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])

    def mappings(self, name: str) -> list[str]:
        """The ids of what reads an endpoint's queue."""
        found = self.account.boto("lambda").list_event_source_mappings()["EventSourceMappings"]
        return [m["UUID"] for m in found if m["EventSourceArn"].endswith(f":autoscaler-{name}")]

    def store(self) -> TableStore:
        """The stack's table, with the rights of whoever owns the account."""
        (table,) = self.account.boto("dynamodb").list_tables()["TableNames"]
        return TableStore(table, self.account.boto("dynamodb"))

    def report(self, **order: Any) -> dict[str, Any]:
        """Has a cost report written, of all time if nothing is said; what the function answers."""
        reply = self.account.boto("lambda").invoke(
            FunctionName=self.outputs["ReportFunctionName"],
            Payload=json.dumps(order or {"period": "all"}).encode(),
        )
        return json.loads(reply["Payload"].read())

    def instances(self) -> int:
        billed = self.account.sagemaker.billed()
        return sum(gone is None for *_, gone in billed)


def wait_for(look: Callable[[], Any], reached: Callable[[Any], bool], what: Any) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    seen = look()
    while not reached(seen):
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}; saw {seen}")
        time.sleep(0.4)
        seen = look()
    return seen


def at_once(slack: SlackReceiver) -> str:
    """The alerts' secret for a receiver that is told of everything when it happens."""
    return json.dumps({"url": slack.url, "group_seconds": 0})


def no_role_was_denied(account: Account) -> None:
    """Fails with what roles may not do, although something here needs it."""
    denied = sorted({one.why for one in account.iam.surprises})
    assert not denied, "\n".join(denied)


@contextmanager
def deployed(
    folder: Path,
    *,
    token: str | None = HUB_TOKEN,
    template: Path = ROOT / "template.yaml",
    speed: float = SPEED,
    **parameters: str,
) -> Iterator[Stack]:
    """A stack in an account of its own, whose secrets may be nowhere when it is given up.

    `token`: the Hub's, which opens nothing there; None: the stack has no secret for one.
    `template`: another than that of the checkout, whose roles are not judged. `speed`: simulated
    seconds for one of the wall. With a gateway by keys its secret
    is there, and GATEWAY_KEY opens it for the tenant `search`.
    """
    repositories = [
        make_repository(MODEL, shard_bytes=1 << 20),
        make_repository(GATED, shard_bytes=1 << 20, gated=True),
    ]
    with (
        HubServer(repositories) as hub,
        SlackReceiver() as slack,
        Account(folder, start=TUESDAY_NIGHT, speed=speed) as account,
    ):
        before = inventory(account)
        account.iam.enforced = template == ROOT / "template.yaml"
        hubs = {"HubEndpoint": hub.endpoint, **({"HubTokenSecretName": ""} if token else {})}
        outputs = account.deploy(template, parameters={**hubs, **parameters})
        account.boto("secretsmanager").put_secret_value(
            SecretId=outputs["SlackSecretName"], SecretString=at_once(slack)
        )
        stack = Stack(account, hub, slack, outputs, before)
        if token is not None:
            hub.tokens = {token: frozenset()}
            stack.net.watch_token(token)
            account.boto("secretsmanager").put_secret_value(
                SecretId=outputs["HubTokenSecretName"], SecretString=token
            )
        if name := parameters.get("GatewayKeysSecretName"):
            stack.net.watch_key(GATEWAY_KEY)
            keys = {"keys": [{"sha256": digest(GATEWAY_KEY), "tenant": "search"}]}
            account.boto("secretsmanager").create_secret(Name=name, SecretString=json.dumps(keys))
        yield stack
        settle(stack.net)
        no_role_was_denied(account)
