"""What of the stack an endpoint needs: outputs, role, buckets, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from autoscaler.alerts.secret import read_config
from tools.cli.client import CliError
from tools.cli.doctor import Finding, Patient, error_code, ok, problem, warning

_NEEDED = ("CommandFunctionName", "WeightsBucketName", "ResultsBucketName", "ReportsBucketName")
_BUCKETS = ("WeightsBucketName", "ResultsBucketName", "ReportsBucketName")
_ALERTS = "the alerts' secret"
HUB_SECRET = "HubTokenSecretName"  # no such output: the stack has no secret for a token
MAKE_HUB_SECRET = (
    f"deploy with {HUB_SECRET}=make, written in samconfig.toml (or the next `sam deploy` removes "
    "the secret), then put a read token into it"
)
_SECRETS = {
    "SlackSecretName": (_ALERTS, "alerts are only logged until you say there where they go"),
    HUB_SECRET: ("the Hub's token", "gated models cannot be staged until it is there"),
}
_UNSET = frozenset({"", "unset"})
_SAGEMAKER = "sagemaker.amazonaws.com"


def stack(patient: Patient) -> Iterator[Finding]:
    """Whether it is deployed, whole and up to date with this command line."""
    try:
        outputs = patient.client.outputs
    except CliError as missing:
        yield problem("stack", str(missing), "everything else that needs it is left out")
        return
    absent = [name for name in _NEEDED if name not in outputs]
    if absent:
        yield problem(
            "stack",
            f"{patient.client.stack} has no output {', '.join(absent)}",
            "is it an autoscaler? `sam deploy` brings it up to date",
        )
        return
    yield ok("stack", f"{patient.client.stack} is deployed in {patient.region}")


def role(patient: Patient) -> Iterator[Finding]:
    """The role that SageMaker takes for endpoints."""
    if not patient.stack_outputs:
        return
    found = patient.client.boto("cloudformation").describe_stack_resource(
        StackName=patient.client.stack, LogicalResourceId="EndpointRole"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    try:
        policy = patient.client.boto("iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        yield problem("endpoint role", f"{name} is gone", "`sam deploy` makes it again")
        return
    if _trusts(policy["AssumeRolePolicyDocument"], _SAGEMAKER):
        yield ok("endpoint role", f"{name} trusts SageMaker")
        return
    way_out = f"`sam deploy` puts its trust policy right: {_SAGEMAKER} must be able to assume it"
    yield problem("endpoint role", f"{name} does not trust SageMaker", way_out)


def _trusts(document: Any, service: str) -> bool:
    policy = json.loads(unquote(document)) if isinstance(document, str) else document
    for statement in policy.get("Statement", ()):
        principal = statement.get("Principal", {})
        services = principal.get("Service", ()) if isinstance(principal, Mapping) else ()
        listed = [services] if isinstance(services, str) else list(services)
        if statement.get("Effect") == "Allow" and service in listed:
            return True
    return False


def buckets(patient: Patient) -> Iterator[Finding]:
    """That they exist, are this account's, and lie in the stack's Region."""
    for output in _BUCKETS:
        name = patient.stack_outputs.get(output)
        if name:
            yield _bucket(patient, output.removesuffix("BucketName").lower(), name)


def _bucket(patient: Patient, what: str, name: str) -> Finding:
    subject = f"{what} bucket"
    try:
        reply = patient.client.boto("s3").head_bucket(
            Bucket=name, ExpectedBucketOwner=patient.account
        )
    except ClientError as error:
        if error_code(error) in {"404", "NoSuchBucket"}:
            return problem(subject, f"{name} does not exist", "`sam deploy` makes it again")
        if error_code(error) in {"403", "AccessDenied"}:
            why = f"{name} is another account's, or may not be seen with these credentials"
            return problem(subject, why, "it takes s3:ListBucket; the stack's own has your account")
        raise
    headers = reply["ResponseMetadata"].get("HTTPHeaders", {})
    there = reply.get("BucketRegion") or headers.get("x-amz-bucket-region")
    if there and there != patient.region:
        why = f"{name} lies in {there}, the stack in {patient.region}"
        return problem(subject, why, "an endpoint loads weights from its own Region only")
    return ok(subject, f"{name} is there, ours, in {there or 'a Region that it does not tell'}")


def secrets(patient: Patient) -> Iterator[Finding]:
    """Whether they are set. The value is read, compared with `unset`, and never shown."""
    for output, (what, without) in _SECRETS.items():
        name = patient.stack_outputs.get(output)
        if name:
            yield _secret(patient, what, without, name)
        elif patient.stack_outputs and output == HUB_SECRET:
            yield ok(what, "the stack has none, which public models do not need")


def _secret(patient: Patient, what: str, without: str, name: str) -> Finding:
    try:
        value = patient.client.boto("secretsmanager").get_secret_value(SecretId=name)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return problem(what, f"the secret {name} does not exist", "make it, or deploy with another")
    if value.get("SecretString", "").strip() in _UNSET:
        put = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string ..."
        return warning(what, f"{name} is not set: {without}", put)
    if what == _ALERTS and (wrong := read_config(value["SecretString"]).problems):
        return warning(what, f"{name} is wrong: {wrong[0]}", "docs/alerts.md says what it may hold")
    return ok(what, f"{name} is set")
