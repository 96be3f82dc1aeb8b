"""Who signed a request is read from its header or its address, as boto3 writes both."""

from __future__ import annotations

from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from tools.embedded.kernel.signatures import Signature, signature_of

ROLE = Signature("ASIAROLE", "s3")


def presigned(version: str) -> str:
    """The query of an address that a session with a token has signed."""
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="ASIAROLE",
        aws_secret_access_key="secret",
        aws_session_token="to/ken+=",
        config=Config(signature_version=version),
    )
    where = {"Bucket": "b", "Key": "models/a b.safetensors"}
    return urlsplit(client.generate_presigned_url("put_object", Params=where)).query


SCOPE = "20260302/us-east-1"
SIGNED = [
    (f"AWS4-HMAC-SHA256 Credential=ASIAROLE/{SCOPE}/s3/aws4_request, SignedHeaders=host", "", ROLE),
    ("AWS ASIAROLE:c2lnbmF0dXJl", "", ROLE),
    ("", presigned("s3v4"), ROLE),
    ("", presigned("s3"), ROLE),
    ("", f"x-amz-credential=ASIAROLE%2F{SCOPE}%2Fs3%2Faws4_request", ROLE),
    ("", f"X-Amz-Credential=AKIA/{SCOPE}/sts/aws4_request", Signature("AKIA", "sts")),
    ("AWS4-HMAC-SHA256 Credential=ASIAROLE/oddly", "", Signature("ASIAROLE", "")),
    ("Bearer a-key", "", None),
    ("", "prefix=Credential=ASIAROLE/", None),
    ("", "AWSAccessKeyId=", None),
    ("", "", None),
]


@pytest.mark.parametrize(("header", "query", "found"), SIGNED, ids=range(len(SIGNED)))
def test_the_signer_is_found(header: str, query: str, found: Signature | None) -> None:
    assert signature_of({"HTTP_AUTHORIZATION": header, "QUERY_STRING": query}) == found


def test_a_request_that_says_nothing_of_it_is_nobodys() -> None:
    assert signature_of({}) is None
