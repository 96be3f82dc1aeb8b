"""A small application for the kernel's tests: functions that tell, sleep, fail, end and grow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from tools.embedded.kernel.account import Account

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MACHINE_ROLE = "arn:aws:iam::123456789012:role/machine"
ASSUMED = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [ASSUMED]},
    },
}
CODE = """
import os, time

def tell(event, context):
    return {"pid": os.getpid(), "environ": dict(os.environ), "time": time.time(), "event": event}

def sleep(event, context):
    time.sleep(60)

def nap(event, context):
    kept = bytearray(event["mib"] * 2**20)
    kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(event["seconds"])

def fail(event, context):
    raise KeyError("nothing here")

def leave(event, context):
    os._exit(3)

def grow(event, context):
    kept = bytearray(event * 2**20)
    kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(1.5)
    return len(kept)
"""


def make_machine_role(account: Account) -> str:
    """A role that may do everything, for machines and functions that are not about rights."""
    iam, everything = account.boto("iam"), {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [ASSUMED]})
    iam.create_role(RoleName=MACHINE_ROLE.rpartition("/")[2], AssumeRolePolicyDocument=trust)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName="machine", PolicyName="everything", PolicyDocument=policy)
    return MACHINE_ROLE


def function(handler: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.11",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "CodeUri": "code",
            "Handler": handler,
            "Timeout": 30,
            **more,
        },
    }


FUNCTIONS = {
    "Role": ROLE,
    "One": function(
        "app.tell",
        FunctionName="one",
        Environment={"Variables": {"GREETING": "hello", "TABLE": {"Ref": "AWS::StackName"}}},
    ),
    "Two": function("app.tell", FunctionName="two"),
    "Sleeper": function("app.sleep", FunctionName="sleeper", Timeout=1),
    "Napper": function("app.nap", FunctionName="napper", Timeout=1, MemorySize=512),
    "Failing": function("app.fail", FunctionName="failing"),
    "Leaving": function("app.leave", FunctionName="leaving"),
    "Growing": function("app.grow", FunctionName="growing", MemorySize=128),
}


def template(folder: Path, resources: dict[str, Any], **more: Any) -> Path:
    """A SAM template with the code of the functions beside it."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "app.py").write_text(CODE)
    path = folder / "template.yaml"
    whole = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, **more}
    path.write_text(yaml.safe_dump(whole))
    return path


def invoke(account: Account, name: str, event: Any = None) -> tuple[Any, str | None]:
    """The answer, and the kind of error."""
    reply = account.boto("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(reply["Payload"].read()), reply.get("FunctionError")


def client_of(account: Account, role_arn: str, service: str) -> Any:
    """A client with a role's credentials, which asks once."""
    given = account.boto("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")
    session = given["Credentials"]
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=account.endpoint_url,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}),
    )
