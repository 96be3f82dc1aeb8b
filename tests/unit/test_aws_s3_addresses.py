"""What is signed here and sent past botocore goes to the S3 of the client's own Region."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from autoscaler.aws import clients, uploads
from autoscaler.staging.http import Origin
from tools.cli.client import StackClient

HEADERS = {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": "eA=="}
PARAMETERS = {
    "Bucket": "stack-weights",
    "Key": "models/a--b/c/model.safetensors",
    "ChecksumAlgorithm": "SHA256",
    "ChecksumSHA256": "eA==",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that somebody wanted to send to, in an account without a profile."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    hosts: list[str] = []

    def note(origin: Origin, _seconds: float) -> Any:
        hosts.append(origin.host)
        raise ConnectionRefusedError

    monkeypatch.setattr(uploads, "connect", note)
    monkeypatch.setattr(clients, "_session", botocore.session.get_session)
    return hosts


def send(s3: Any) -> None:
    window = memoryview(b"x")
    with pytest.raises(ConnectionRefusedError):
        uploads.put_windows(s3, "put_object", PARAMETERS, HEADERS, [window], 1)


REGIONS = ("eu-central-1", "eu-south-1", "af-south-1", "eu-central-2", "us-gov-west-1")


@pytest.mark.parametrize("region", REGIONS)
def test_weights_go_to_the_s3_of_the_region(
    region: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    send(clients._Later("s3"))
    send(StackClient("stack", region).boto("s3"))
    assert asked == [f"stack-weights.s3.{region}.amazonaws.com"] * 2


@pytest.mark.parametrize("endpoints", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", ""])
@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_other_hosts_of_aws_are_no_less_its_own(
    region: str, endpoints: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoints or "NOTHING", "true")
    send(StackClient("stack", region).boto("s3"))
    assert asked[0].startswith("stack-weights.s3")


def test_another_s3_is_addressed_as_botocore_would(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    send(StackClient("stack", "eu-central-1", "http://localhost:9000").boto("s3"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:9000")
    send(clients._Later("s3"))
    send(StackClient("stack", "eu-central-1").boto("s3"))
    assert asked == ["localhost"] * 3


def test_a_client_that_signs_for_the_global_host_sends_nothing(asked: list[str]) -> None:
    s3 = botocore.session.get_session().create_client(
        "s3", region_name="eu-central-1", config=Config(signature_version="s3v4")
    )
    with pytest.raises(ValueError, match=r"s3\.amazonaws\.com is not the S3 of eu-central-1"):
        uploads.put_windows(s3, "put_object", PARAMETERS, HEADERS, [memoryview(b"x")], 1)
    assert not asked
