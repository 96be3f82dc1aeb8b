"""Every handler in this process, against the real stack's services, with nothing else at work.

What happens by itself is stopped, and the state machines do nothing: whatever an event changes, its
handler did. Sockets to anywhere but this machine are refused.
"""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.client

from autoscaler.aws.answer_addresses import AnswerAddresses
from autoscaler.policy.types import Phase
from autoscaler.runtime.logs import logger
from autoscaler.spec import parse_spec
from tests.embedded.stack import MODEL, ROOT, Stack, deployed
from tests.hostile import CANARY
from tests.samples import asleep, awake, document

EVENTS = ROOT / "events"
NAME = "deepseek-r1-distill-llama-8b"  # the samples' endpoint
GENERATION = 7  # the samples'
# Of the samples: whose they are, and the phase in which that handler has work to do.
HANDLERS = {
    "alarm": ("reconcile", Phase.AWAKE),
    "check_names": ("check_names", Phase.AWAKE),
    "command": ("accept_command", Phase.AWAKE),
    "command_apply": ("accept_command", Phase.AWAKE),
    "create_model": ("create_model", Phase.CREATING),
    "endpoint_changed": ("reconcile", Phase.AWAKE),
    "guard_sleep": ("guard_sleep", Phase.SLEEPING),
    "held_alerts": ("notify", Phase.AWAKE),
    "look_at_start": ("look_at_start", Phase.WAKING),
    "notify": ("notify", Phase.AWAKE),
    "round_failed": ("notify", Phase.AWAKE),
    "plan_deployment": ("plan_deployment", Phase.CREATING),
    "plan_staging": ("plan_staging", Phase.STAGING),
    "plan_wake": ("plan_wake", Phase.WAKING),
    "probe_endpoint": ("probe_endpoint", Phase.WAKING),
    "record_failure": ("record_phase", Phase.WAKING),
    "record_phase": ("record_phase", Phase.WAKING),
    "refresh_prices": ("refresh_prices", Phase.AWAKE),
    "remove_weights": ("remove_weights", Phase.RETIRING),
    "report": ("report_costs", Phase.AWAKE),
    "request": ("dispatch_requests", Phase.ASLEEP),
    "request_waited": ("reconcile", Phase.AWAKE),
    "seal_staging": ("seal_staging", Phase.STAGING),
    "stack_answered": ("answer_stack", Phase.RETIRING),
    "stack_deleted": ("retire_stack", Phase.RETIRING),
    "stage_file": ("stage_file", Phase.STAGING),
    "sweep": ("sweep_account", Phase.AWAKE),
    "tick": ("reconcile", Phase.AWAKE),
}
_READING = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Filter")
# What is secret in the samples, and in the tests.
_SECRETS = {"Why is the sky blue?": CANARY, ".com/answer": f".com/answer?X-Amz-Signature={CANARY}"}
_COMMIT = "6a6f4aa4197940add57724a7707d069478df56b1"  # the samples'
_KEY = "in-process"
_IDLE = json.dumps({"StartAt": "Rest", "States": {"Rest": {"Type": "Pass", "End": True}}})
_LOCAL = {"127.0.0.1", "localhost", "::1"}


@dataclass
class Outcome:
    """What came of one invocation. `changes`: calls of AWS that may have changed something."""

    answer: Any = None
    error: Exception | None = None
    seconds: float = 0.0
    changes: list[str] = field(default_factory=list)
    logged: str = ""


class Lab:
    """Invokes handlers as Lambda would."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._calls: list[str] = []
        self._log = io.StringIO()
        self._dynamodb, self._table = stack.account.boto("dynamodb"), stack.outputs["TableName"]

    def sample(self, name: str) -> Any:
        """With a canary for its secret, and what only a live stack has: a commit, a receipt."""
        text = (EVENTS / f"{name}.json").read_text()
        for written, secret in _SECRETS.items():
            text = text.replace(written, secret)
        event = json.loads(text.replace(_COMMIT, self._commit))
        if name == "stage_file":
            event["file"] = self._file
        if name == "request":
            event["Records"][0]["receiptHandle"] = self._receipt
        return event

    def prepare(self) -> None:
        """What a stack with an endpoint has besides."""
        account = self.stack.account
        self.stack.hub.tokens = {CANARY: frozenset()}
        account.boto("secretsmanager").put_secret_value(
            SecretId=self.stack.outputs["HubTokenSecretName"], SecretString=CANARY
        )
        sqs = account.boto("sqs")
        urls = [
            sqs.create_queue(QueueName=f"autoscaler-{NAME}{end}")["QueueUrl"]
            for end in ("", "-dlq", "-later")
        ]
        sqs.send_message(QueueUrl=urls[0], MessageBody="{}")
        self._receipt = sqs.receive_message(QueueUrl=urls[0])["Messages"][0]["ReceiptHandle"]
        planned = self.invoke(
            "plan_staging", json.loads((EVENTS / "plan_staging.json").read_text())
        )
        plan = planned.answer["plan"]
        self._commit = plan["commit"]
        self._file = next(one for one in plan["files"] if one["path"] == "config.json")

    def begin(self, phase: Phase) -> None:
        """The table as it is before each invocation: the samples' endpoint in its phase."""
        for item in self._dynamodb.scan(TableName=self._table)["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            self._dynamodb.delete_item(TableName=self._table, Key=key)
        made = awake if phase is Phase.AWAKE else asleep
        weights = {"weights_uri": f"s3://{self.stack.outputs['WeightsBucketName']}/models/x/y/"}
        status = made(
            NAME, generation=GENERATION, phase=phase, discard_weights=True, **weights,
            at=self.stack.account.clock.now(),
        )  # fmt: skip
        spec = parse_spec(document(NAME, model={"id": MODEL}))
        self.stack.store().create(spec, status)
        AnswerAddresses(self._table, self._dynamodb).keep(
            json.loads((EVENTS / "stack_answered.json").read_text())["request"]["RequestId"],
            self.sample("stack_deleted")["ResponseURL"],
        )

    def invoke(self, function: str, event: Any) -> Outcome:
        """As the function's own process would take it: JSON in, JSON out."""
        handler = importlib.import_module(f"functions.{function}.app").handler
        context = SimpleNamespace(
            function_name=f"autoscaler-{function}",
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
            aws_request_id="00000000-0000-4000-8000-000000000001",
            get_remaining_time_in_millis=lambda: 900_000,
        )
        self._calls.clear()
        self._log.seek(0)
        self._log.truncate()
        outcome, began = Outcome(), time.monotonic()
        try:
            outcome.answer = json.loads(json.dumps(handler(event, context)))
        except Exception as error:  # noqa: BLE001 - it is what the tests judge
            outcome.error = error
        outcome.seconds = time.monotonic() - began
        outcome.changes = [one for one in self._calls if not one.split(":")[1].startswith(_READING)]
        outcome.logged = self._log.getvalue()
        return outcome

    def watches(self, made_by: str, service: str, operation: str) -> None:
        if made_by == _KEY:
            self._calls.append(f"{service}:{operation}")

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """With the functions' environment, and everything that this process remembers forgotten."""
        launched = [one.launch.environ for one in self.stack.account.runtime.deployed.values()]
        variables = {k: v for one in launched for k, v in one.items() if k not in ("PATH", "TZ")}
        variables |= {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _KEY}
        variables.pop("PYTHONPATH", None)
        variables.pop("AWS_SESSION_TOKEN", None)
        call, connect, look_up = (
            botocore.client.BaseClient._make_api_call,
            socket.socket.connect,
            socket.getaddrinfo,
        )

        def watched(client: Any, operation: str, arguments: Any) -> Any:
            signer = client._request_signer._credentials
            self.watches(
                getattr(signer, "access_key", ""), client.meta.service_model.service_name, operation
            )
            return call(client, operation, arguments)

        def here(host: Any, *more: Any, **named: Any) -> Any:
            if host not in _LOCAL:
                raise socket.gaierror(f"no name is looked up in this test, nor {str(host)[:40]!r}")
            return look_up(host, *more, **named)

        def near(sock: socket.socket, address: Any) -> Any:
            if isinstance(address, tuple) and address[0] not in _LOCAL:
                raise ConnectionRefusedError(f"nothing is connected to in this test, nor {address}")
            return connect(sock, address)

        listening = logging.StreamHandler(self._log)
        listening.setFormatter(logger.registered_formatter)
        root = logging.getLogger("autoscaler")
        _forget()
        root.addHandler(listening)
        with (
            patch.dict(os.environ, variables, clear=True),
            patch.object(botocore.client.BaseClient, "_make_api_call", watched),
            patch.object(socket, "getaddrinfo", here),
            patch.object(socket.socket, "connect", near),
        ):
            try:
                yield
            finally:
                root.removeHandler(listening)
                _forget()


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A stack on which nothing happens by itself."""
    with deployed(folder) as stack:
        stack.account.pump.stop()
        states = stack.account.boto("stepfunctions")
        for machine in states.list_state_machines()["stateMachines"]:
            states.update_state_machine(
                stateMachineArn=machine["stateMachineArn"], definition=_IDLE
            )
        found = Lab(stack)
        with found.in_force():
            found.prepare()
            yield found


def _forget() -> None:
    """What the layer keeps for the life of a process: clients, settings, wiring."""
    for name, module in list(sys.modules.items()):
        if name.startswith("autoscaler.") and isinstance(module, ModuleType):
            for one in list(vars(module).values()):
                if isinstance(one, _lru_cache_wrapper):
                    one.cache_clear()
