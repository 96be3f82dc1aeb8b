"""Talks to a deployed stack: finds its functions by its outputs, and calls them."""

from __future__ import annotations

import getpass
import json
import os
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from autoscaler.aws.addressing import s3_config
from tools.cli.aws_errors import explained
from tools.cli.harmless import all_harmless

LONGEST_ANSWER_SECONDS = 910  # the report's function may take 900 s


class CliError(Exception):
    """Something a person can mend; the message says how."""

    exit_code = 1


class RefusedError(CliError):
    """The stack refused the command; one line a problem."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class StackClient:
    """One stack in one Region; AWS_ENDPOINT_URL points it to an embedded account."""

    def __init__(self, stack: str, region: str | None = None, endpoint_url: str | None = None):
        self.stack = stack
        # Lambda and the other SDKs go by AWS_REGION; boto3 alone knows only AWS_DEFAULT_REGION.
        self._region = region or os.environ.get("AWS_REGION") or None
        self._endpoint_url = endpoint_url
        # What people asked for until some time, by endpoint, as the last answer about it says.
        self.in_force: dict[str, list[str]] = {}

    def region_or(self, default: str) -> str:
        """The Region that was given or that the environment names."""
        return self._region or os.environ.get("AWS_DEFAULT_REGION") or default

    def boto(self, service: str) -> Any:
        config = Config(
            retries={"total_max_attempts": 2},
            read_timeout=LONGEST_ANSWER_SECONDS,
            tcp_keepalive=True,  # gateways on the way forget a silent connection within minutes
        )
        try:
            if service == "s3":  # what is staged from here is signed, and sent past botocore
                config = config.merge(s3_config(endpoint_url=self._endpoint_url))
            return boto3.client(
                service, region_name=self._region, endpoint_url=self._endpoint_url, config=config
            )
        except BotoCoreError as error:
            raise CliError(explained(error)) from None
        except ValueError as wrong:  # an address that is none
            raise CliError(str(wrong)) from None

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs; raises CliError when there is no such stack."""
        found = self.found()
        outputs = {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", ())}
        if not outputs:
            raise CliError(
                f"the stack {self.stack!r} has no outputs yet: it is {found['StackStatus']}"
            )
        return outputs

    @cached_property
    def default_time_zone(self) -> str:
        """The zone of schedules that name none, as the stack has it."""
        given = {p["ParameterKey"]: p["ParameterValue"] for p in self.found().get("Parameters", ())}
        return str(given.get("DefaultTimeZone") or "UTC")

    def command(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command; returns its result, with `in_force`, or raises RefusedError."""
        body = {"command": command, "author": _author(), **arguments}
        answer = self.invoke("CommandFunctionName", body)
        in_force = dict(answer.get("in_force") or {})  # an older stack's has none
        self.in_force |= in_force
        if not answer.get("ok"):
            raise RefusedError(list(answer.get("problems") or ["refused without a reason"]))
        return {**answer["result"], "in_force": in_force}

    def invoke(self, output: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Calls the function that an output names."""
        if output not in self.outputs:
            raise CliError(
                f"the stack {self.stack!r} has no output {output}: is it an autoscaler, and up to "
                "date with this command line?"
            )
        try:
            reply = self.boto("lambda").invoke(
                FunctionName=self.outputs[output], Payload=json.dumps(body).encode()
            )
        except (BotoCoreError, ClientError) as error:
            raise CliError(self._not_called(self.outputs[output], error)) from None
        payload = all_harmless(json.loads(reply["Payload"].read() or b"null") or {})
        if reply.get("FunctionError"):
            raise CliError(
                f"{self.outputs[output]} failed: {payload.get('errorType')}: "
                f"{payload.get('errorMessage')} "
                f"(request {reply['ResponseMetadata'].get('RequestId')})"
            )
        return dict(payload)

    def now(self) -> datetime:
        """The account's present: an embedded one has a clock of its own."""
        url = self._endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
        if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
            return datetime.now(UTC)
        try:
            with urllib.request.urlopen(f"{url}/_embedded/status", timeout=2) as reply:
                return datetime.fromisoformat(json.load(reply)["time"])
        except (OSError, ValueError, KeyError):
            return datetime.now(UTC)

    def found(self) -> dict[str, Any]:
        """The stack as CloudFormation describes it now; raises CliError when there is none."""
        try:
            stacks = self.boto("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            raise CliError(self._no_stack(error)) from None
        except BotoCoreError as error:
            raise CliError(explained(error)) from None
        return dict(stacks[0])

    def _no_stack(self, error: ClientError) -> str:
        if "does not exist" in str(error):
            region = self.boto("cloudformation").meta.region_name
            return (
                f"there is no stack {self.stack!r} in {region}: `sam deploy --guided` makes one, "
                "`autoscaler local up` starts one on this machine; --stack names another"
            )
        return explained(error)

    def _not_called(self, function: str, error: BotoCoreError | ClientError) -> str:
        gone = isinstance(error, ClientError) and "ResourceNotFoundException" in str(error)
        if not gone:
            return f"{function} was not called: {explained(error)}"
        stack = self.found()  # again: it may have gone meanwhile
        return f"the stack {self.stack!r} has no function {function}: it is {stack['StackStatus']}"


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
