"""Addresses in the AWS console, in the partition of the stack. Pure.

A link is a help, not a promise: AWS publishes no grammar for them. These are what the console's
own address bar shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True)
class Console:
    """The console of one stack."""

    partition: str
    region: str
    account: str
    stack: str

    @classmethod
    def of(cls, arn_prefix: str, stack: str) -> Console:
        """From the beginning of any ARN of the stack."""
        parts = arn_prefix.split(":")
        return cls(partition=parts[1], region=parts[3], account=parts[4], stack=stack)

    def execution(self, machine: str, name: str) -> str:
        """An execution of one of the stack's state machines, e.g. `wake-endpoint`."""
        arn = (
            f"arn:{self.partition}:states:{self.region}:{self.account}:execution:"
            f"{self.stack}-{machine}:{name}"
        )
        return self._at("states", f"/v2/executions/details/{arn}")

    def container_logs(self, resource: str) -> str:
        """The log groups with a name in theirs, whatever kind of endpoint wrote them."""
        wanted = quote(quote(resource, safe=""), safe="").replace("%", "$")
        return self._at("cloudwatch", f"logsV2:log-groups$3FlogGroupNameFilter$3D{wanted}")

    def function_log(self, function: str) -> str:
        """The log of one of the stack's functions."""
        group = quote(quote(f"/aws/lambda/{self.stack}-{function}", safe=""), safe="")
        return self._at("cloudwatch", f"logsV2:log-groups/log-group/{group.replace('%', '$')}")

    def endpoint(self, name: str) -> str:
        """A SageMaker endpoint."""
        return self._at("sagemaker", f"/endpoints/{quote(name)}")

    def dashboard(self) -> str:
        """The stack's dashboard."""
        return self._at("cloudwatch", f"dashboards/dashboard/{quote(self.stack)}")

    def object(self, uri: str) -> str:
        """An object by its s3:// address."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        host = self._host("s3")
        return f"https://{host}/s3/object/{bucket}?region={self.region}&prefix={quote(key)}"

    def _at(self, service: str, fragment: str) -> str:
        return f"https://{self._host(service)}/{service}/home?region={self.region}#{fragment}"

    def _host(self, service: str) -> str:
        host = _HOSTS.get(self.partition, _HOSTS["aws"])
        # GovCloud and China have one address for all of their Regions.
        return f"{self.region}.{host}" if self.partition == "aws" else host
