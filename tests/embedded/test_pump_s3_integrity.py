"""S3 refuses what does not fit its checksum; without the patch moto takes it."""

from __future__ import annotations

import base64
import hashlib
import io
import time
import zlib

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from tools.embedded import s3_integrity
from tools.embedded.s3_integrity import CRC32C, CRC64NVME, DIGESTS, crc

GOOD = b"weights " * 1000
BAD = b"Weights " + GOOD[8:]
PART = bytes(range(256)) * 20480  # 5 MiB


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        s3_integrity.install()
        # botocore's legacy mode repeats a BadDigest four times, with pauses
        client = boto3.client(
            "s3", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
        )
        client.create_bucket(Bucket="bucket")
        yield client
        s3_integrity.uninstall()


CASES = [
    {"ChecksumSHA256": b64(hashlib.sha256(GOOD).digest())},
    {"ChecksumSHA1": b64(hashlib.sha1(GOOD).digest())},
    {"ChecksumCRC32": b64(zlib.crc32(GOOD).to_bytes(4, "big"))},
    {"ChecksumCRC32C": b64(DIGESTS["crc32c"](GOOD))},
    {"ChecksumCRC64NVME": b64(DIGESTS["crc64nvme"](GOOD))},
    {"ContentMD5": b64(hashlib.md5(GOOD).digest())},
]


@pytest.mark.parametrize("given", CASES, ids=lambda given: next(iter(given)))
def test_put_object_takes_what_fits_and_refuses_what_does_not(s3, given):
    s3.put_object(Bucket="bucket", Key="good", Body=GOOD, **given)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="bucket", Key="bad", Body=BAD, **given)
    assert error.value.response["Error"]["Code"] == "BadDigest"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["good"]


@pytest.mark.parametrize("given", CASES, ids=lambda given: next(iter(given)))
def test_without_the_patch_moto_takes_damaged_bytes(s3, given):
    s3_integrity.uninstall()
    s3.put_object(Bucket="bucket", Key="bad", Body=BAD, **given)
    s3_integrity.install()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket="bucket", Key="bad", Body=BAD, **given)


@pytest.mark.parametrize("given", CASES[:-1], ids=lambda given: next(iter(given)))
def test_head_object_tells_the_checksum_that_was_sent(s3, given):
    s3.put_object(Bucket="bucket", Key="good", Body=GOOD, **given)
    head = s3.head_object(Bucket="bucket", Key="good", ChecksumMode="ENABLED")
    ((name, value),) = given.items()
    assert head[name] == value
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert name not in s3.head_object(Bucket="bucket", Key="good")
    assert s3.get_object(Bucket="bucket", Key="good")["Body"].read() == GOOD


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ContentMD5": "no"}, "InvalidDigest"),
        ({"ChecksumSHA256": "AAAA"}, "InvalidRequest"),
        ({"ChecksumSHA256": "not base64!"}, "InvalidRequest"),
    ],
)
def test_a_malformed_checksum_is_told_from_a_wrong_one(s3, given, code):
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="bucket", Key="k", Body=GOOD, **given)
    assert error.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32"])
def test_a_trailing_checksum_is_verified(s3, algorithm):
    s3.put_object(Bucket="bucket", Key="k", Body=io.BytesIO(GOOD), ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == b64(DIGESTS[algorithm.lower()](GOOD))
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == GOOD


def chunked(data: bytes, digest: str) -> bytes:
    return b"%x\r\n%s\r\n0\r\nx-amz-checksum-sha256:%s\r\n\r\n" % (len(data), data, digest.encode())


def test_a_damaged_chunked_body_is_refused_over_http():
    from moto.server import ThreadedMotoServer

    fits = b64(hashlib.sha256(GOOD).digest())
    headers = {
        "x-amz-trailer": "x-amz-checksum-sha256",
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(GOOD)),
        "x-amz-sdk-checksum-algorithm": "SHA256",
    }
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    s3_integrity.install()
    try:
        host, port = server.get_host_and_port()
        base = f"http://{host}:{port}/wire-bucket"
        assert requests.put(base, timeout=5).status_code == 200
        good = requests.put(f"{base}/k", data=chunked(GOOD, fits), headers=headers, timeout=5)
        bad = requests.put(f"{base}/bad", data=chunked(BAD, fits), headers=headers, timeout=5)
        assert good.status_code == 200
        assert (bad.status_code, "<Code>BadDigest</Code>" in bad.text) == (400, True)
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        head = client.head_object(Bucket="wire-bucket", Key="k", ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == fits
        assert client.get_object(Bucket="wire-bucket", Key="k")["Body"].read() == GOOD
        assert client.list_objects_v2(Bucket="wire-bucket")["KeyCount"] == 1
    finally:
        s3_integrity.uninstall()
        server.stop()


def upload(s3, key: str, parts: list[bytes], algorithm: str, **complete: str) -> None:
    made = s3.create_multipart_upload(
        Bucket="bucket", Key=key, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT"
    )
    done = []
    for number, part in enumerate(parts, start=1):
        given = {f"Checksum{algorithm}": b64(DIGESTS[algorithm.lower()](part))}
        answer = s3.upload_part(
            Bucket="bucket",
            Key=key,
            UploadId=made["UploadId"],
            PartNumber=number,
            Body=part,
            **given,
        )
        done.append({"PartNumber": number, "ETag": answer["ETag"], **given})
    s3.complete_multipart_upload(
        Bucket="bucket",
        Key=key,
        UploadId=made["UploadId"],
        MultipartUpload={"Parts": done},
        **complete,
    )


def test_a_multipart_upload_is_verified_as_a_whole(s3):
    parts = [PART, b"the end"]
    whole = b64(DIGESTS["crc64nvme"](b"".join(parts)))
    upload(s3, "good", parts, "CRC64NVME", ChecksumCRC64NVME=whole)
    head = s3.head_object(Bucket="bucket", Key="good", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == whole
    assert head["ChecksumType"] == "FULL_OBJECT"
    with pytest.raises(ClientError, match="BadDigest"):
        upload(s3, "bad", parts, "CRC64NVME", ChecksumCRC64NVME=b64(bytes(8)))
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["good"]


def test_a_damaged_part_is_refused(s3):
    made = s3.create_multipart_upload(Bucket="bucket", Key="k", ChecksumAlgorithm="CRC64NVME")
    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(
            Bucket="bucket",
            Key="k",
            UploadId=made["UploadId"],
            PartNumber=1,
            Body=BAD,
            ChecksumCRC64NVME=b64(DIGESTS["crc64nvme"](GOOD)),
        )


@pytest.mark.parametrize(
    ("data", "crc32c", "crc64"),
    [
        (b"123456789", 0xE3069283, 0xAE8B14860A799888),  # the catalogue's check values
        (b"", 0, 0),
        (bytes(32), 0x8A9136AA, 0xCF3473434D4ECF3B),  # RFC 3720, B.4; awscrt's own tests
    ],
)
def test_the_crcs_are_the_published_ones(data, crc32c, crc64):
    assert crc(data, *CRC32C) == crc32c
    assert crc(data, *CRC64NVME) == crc64


def test_the_folding_equals_a_library_on_crc32():
    for size in (1, 3, 31, 32, 33, 1000, 65537):
        data = (b"\x01\xfe%d" % size) * size
        assert crc(data, 32, 0x04C11DB7) == zlib.crc32(data)


def test_a_crc64_of_eight_mebibytes_takes_less_than_a_second():
    began = time.perf_counter()
    crc(bytes(8 << 20)[:-1] + b"x", *CRC64NVME)
    assert time.perf_counter() - began < 1.0


def test_default_clients_need_no_change(s3):
    s3.put_object(Bucket="bucket", Key="k", Body=GOOD)
    quiet = boto3.client(
        "s3", region_name="us-east-1", config=Config(request_checksum_calculation="when_required")
    )
    quiet.put_object(Bucket="bucket", Key="plain", Body=GOOD)
    assert quiet.get_object(Bucket="bucket", Key="plain")["Body"].read() == GOOD
