"""A presigned address goes by the rights of the role that signed it, whoever sends it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.embedded.kernel_lab import ASSUMED, START, client_of
from tools.embedded.iam import ledger
from tools.embedded.iam.policy import Permission
from tools.embedded.kernel.account import Account

MINE = "arn:aws:s3:::bucket/mine/*"
POLICY = [
    {"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": MINE},
    {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": MINE},
]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """With a role that may do something, one that may do nothing, and a bucket."""
    with Account(tmp_path_factory.mktemp("account"), start=START) as running:
        iam = running.boto("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": [ASSUMED]})
        for name in ("role", "bare"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        document = json.dumps({"Version": "2012-10-17", "Statement": POLICY})
        iam.put_role_policy(RoleName="role", PolicyName="p", PolicyDocument=document)
        running.boto("s3").create_bucket(Bucket="bucket")
        running.boto("s3").put_object(Bucket="bucket", Key="mine/there", Body=b"1")
        yield running


def as_role(account: Account, name: str = "role") -> Any:
    return client_of(account, f"arn:aws:iam::123456789012:role/{name}", "s3")


def presigned(signer: Any, operation: str, key: str, version: str) -> str:
    """The address of a call, signed as boto3 does it by itself (s3), or as staging does (s3v4)."""
    with_its_keys = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=signer.meta.endpoint_url,
        config=Config(signature_version=version),
        **session_of(signer),
    )
    where = {"Bucket": "bucket", "Key": key}
    return str(with_its_keys.generate_presigned_url(operation, Params=where, ExpiresIn=60))


def session_of(client: Any) -> dict[str, str]:
    keys = client._request_signer._credentials.get_frozen_credentials()
    return {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
    }


def sent(method: str, address: str, body: bytes | None = None) -> tuple[int, str]:
    """What somebody is told who has the address and no keys."""
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    request.method = method
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


PRESIGNED = [
    ("bare", "put_object", "mine/x", "s3:PutObject"),
    ("bare", "get_object", "mine/there", "s3:GetObject"),
    ("role", "put_object", "theirs/x", "s3:PutObject"),
    ("role", "get_object", "theirs/x", "s3:GetObject"),
    ("role", "delete_object", "mine/there", "s3:DeleteObject"),
]
METHODS = {"get": "GET", "put": "PUT", "delete": "DELETE"}


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize(("name", "operation", "key", "action"), PRESIGNED)
def test_an_address_goes_by_the_rights_of_the_role_that_signed_it(
    account: Account, name: str, operation: str, key: str, action: str, version: str
) -> None:
    address = presigned(as_role(account, name), operation, key, version)
    method = METHODS[operation.partition("_")[0]]
    before = len(account.iam.denials)
    status, told = sent(method, address, b"x" * 5_000_000 if method == "PUT" else None)
    assert (status, told[:33]) == (403, "<Error><Code>AccessDenied</Code><"), told
    (denial,) = account.iam.denials[before:]
    assert (denial.role, denial.action) == (name, action)
    assert denial.resource == f"arn:aws:s3:::bucket/{key}"
    assert f"no identity-based policy allows the {action} action" in told
    assert account.boto("s3").list_objects_v2(Bucket="bucket", Prefix="theirs/")["KeyCount"] == 0


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_an_address_that_its_signer_may_use_passes_and_is_written_down(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    key, before = f"mine/{version}", len(account.iam.denials)
    signer = as_role(account)
    assert sent("PUT", presigned(signer, "put_object", key, version), b"1234")[0] == 200
    assert sent("GET", presigned(signer, "get_object", key, version)) == (200, "1234")
    assert len(account.iam.denials) == before
    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path))
    account.iam.close()
    uses = {(use.action, use.resource): use.by for use in ledger.read(tmp_path)}
    arn = f"arn:aws:s3:::bucket/{key}"
    assert uses[("s3:PutObject", arn)] == (Permission("Put", "s3:PutObject"),)
    assert uses[("s3:GetObject", arn)] == (Permission("Read", "s3:GetObject"),)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_an_address_that_the_owner_signed_is_good_for_everything(
    account: Account, version: str
) -> None:
    before = len(account.iam.denials)
    owner, key = account.boto("s3"), f"owners/{version}"
    assert sent("PUT", presigned(owner, "put_object", key, version), b"12")[0] == 200
    assert sent("GET", presigned(owner, "get_object", key, version)) == (200, "12")
    assert len(account.iam.denials) == before
