"""Talks to a deployed stack: finds its functions by its outputs, and calls them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)


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
        self._region = region
        self._endpoint_url = endpoint_url

    def boto(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 2}, read_timeout=310)
        try:
            return boto3.client(
                service, region_name=self._region, endpoint_url=self._endpoint_url, config=config
            )
        except NoRegionError:
            raise CliError("no Region is set: give --region or export AWS_REGION") from None

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs; raises CliError when there is no such stack."""
        try:
            found = self.boto("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        except NoCredentialsError:
            raise CliError(
                "no AWS credentials were found: configure them, or export what "
                "`autoscaler local up` printed"
            ) from None
        except EndpointConnectionError as error:
            raise CliError(f"nothing answers there: {error}") from None
        except ClientError as error:
            raise CliError(self._no_stack(error)) from None
        return {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", ())}

    def command(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command; returns its result or raises RefusedError."""
        body = {"command": command, "author": _author(), **arguments}
        answer = self.invoke("CommandFunctionName", body)
        if not answer.get("ok"):
            raise RefusedError(list(answer.get("problems", ["refused without a reason"])))
        return dict(answer["result"])

    def invoke(self, output: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Calls the function that an output names."""
        try:
            reply = self.boto("lambda").invoke(
                FunctionName=self.outputs[output], Payload=json.dumps(body).encode()
            )
        except (BotoCoreError, ClientError) as error:
            raise CliError(f"the stack's function could not be called: {error}") from None
        payload = json.loads(reply["Payload"].read() or b"null")
        if reply.get("FunctionError"):
            raise CliError(
                f"{self.outputs[output]} failed: {payload.get('errorType')}: "
                f"{payload.get('errorMessage')} "
                f"(request {reply['ResponseMetadata'].get('RequestId')})"
            )
        return dict(payload)

    def _no_stack(self, error: ClientError) -> str:
        if "does not exist" in str(error):
            return (
                f"there is no stack {self.stack!r} here: `sam deploy --guided` makes one, "
                "`autoscaler local up` starts one on this machine; --stack names another"
            )
        return f"CloudFormation refused: {error}"


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
