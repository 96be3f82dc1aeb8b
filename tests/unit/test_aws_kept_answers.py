"""Kept answers in S3: bounded, without a prompt, and quiet about what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import ValidationError

from autoscaler.aws.kept_answers import MOST_BYTES, S3KeptAnswers
from autoscaler.ports import KeptAnswer
from tests.memory import NOON

DIGEST = "0" * 64
KEY = f"answers/llama/{DIGEST}.json"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="results")
        yield s3


def test_what_was_kept_is_found_by_endpoint_and_digest(s3: Any) -> None:
    answers = S3KeptAnswers("results", s3)
    assert answers.find("llama", DIGEST) is None
    kept = KeptAnswer({"choices": [{"text": "weil – 因为"}]}, NOON)
    assert answers.put("llama", DIGEST, kept)
    assert answers.find("llama", DIGEST) == kept
    assert answers.find("other", DIGEST) is None
    stored = json.loads(s3.get_object(Bucket="results", Key=KEY)["Body"].read())
    assert stored.keys() == {"kept_at", "answer"}


def test_an_answer_that_is_too_large_is_not_kept(s3: Any) -> None:
    answers = S3KeptAnswers("results", s3)
    room = MOST_BYTES - len(json.dumps({"kept_at": NOON.isoformat(), "answer": {"text": ""}}))
    assert not answers.put("llama", DIGEST, KeptAnswer({"text": "x" * (room + 1)}, NOON))
    assert answers.find("llama", DIGEST) is None
    assert answers.put("llama", DIGEST, KeptAnswer({"text": "x" * room}, NOON))


@pytest.mark.parametrize("body", [b'{"answer": "CANARY"}', b"CANARY", b'{"kept_at": "CANARY"}'])
def test_what_is_no_kept_answer_is_trouble_that_does_not_repeat_it(s3: Any, body: bytes) -> None:
    s3.put_object(Bucket="results", Key=KEY, Body=body)
    with pytest.raises(ValidationError) as wrong:
        S3KeptAnswers("results", s3).find("llama", DIGEST)
    assert "CANARY" not in str(wrong.value)


def test_a_refusal_is_no_miss(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        S3KeptAnswers("nowhere", s3).find("llama", DIGEST)
