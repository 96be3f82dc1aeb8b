"""Credentials and prompts in what others wrote, before anybody reads it."""

from __future__ import annotations

import time

import pytest

from autoscaler.endpoints.redacted import without_credentials, without_secrets

SHAPED = {
    "a Hub token": "no access with hf_SECRETsecret12",
    "a bearer": "sent Bearer SECRET",
    "basic credentials": "Authorization: Basic SECRET",
    "a header in JSON": "{'authorization': 'Bearer SECRET'}",
    "a bare authorization": "authorization=SECRET",
    "a password in an address": "cloning https://oauth2:SECRET@gitlab.example/x",
    "a database's address": "cannot reach postgres://app:SECRET@db:5432/x",
    "a signed address": "GET https://b.example/k?X-Amz-Signature=SECRET",
    "a key of AWS": "AKIASECRETSECRET1234 is not active",
    "a session's key of AWS": "ASIASECRETSECRET1234 has expired",
    "GitHub's": "ghp_SECRETsecretSECRETsecret12 is refused",
    "GitHub's, fine-grained": "github_pat_SECRETsecretSECRETsecret is refused",
    "GitLab's": "glpat-SECRETsecret is refused",
    "Slack's": "xoxb-SECRET-123456 is refused",
    "of an API": "sk-SECRETsecret is no key",
    "a signed token": "eyJSECRETSECRET.eyJSECRET.SECRET_x is over",
}
NAMED = {
    "x-api-key": "x-api-key: SECRET",
    "upper case": "API-KEY=SECRET",
    "short": "passwd=SECRET pwd: SECRET",
    "said": "the secret is SECRET",
    "in quotes": 'token: "SECRET WITH SECRET"',
    "in JSON": '{"password": "SECRET"}',
    "a part of a name": "aws_secret_access_key=SECRET",
}
PROMPTS = {
    "vLLM's": "OutOfMemoryError while serving prompt: 'my SECRET is SECRET'",
    "of a chat": 'messages=[{"role": "user", "content": "SECRET"}] is too long',
    "pydantic's": "Field required [type=missing, input_value={'a': 'SECRET'}, input_type=dict]",
    "over lines": "prompt = SECRET\nSECRET",
}


@pytest.mark.parametrize("said", [*SHAPED.values()], ids=[*SHAPED])
def test_what_has_the_shape_of_a_credential_is_told_to_nobody(said: str) -> None:
    for told in (without_credentials(said), without_secrets(said)):
        assert "SECRET" not in told and "***" in told


@pytest.mark.parametrize("said", [*NAMED.values(), *PROMPTS.values()], ids=[*NAMED, *PROMPTS])
def test_nor_what_a_container_calls_a_secret_or_quotes_of_a_request(said: str) -> None:
    told = without_secrets(said)
    assert "SECRET" not in told and "***" in told


@pytest.mark.parametrize(
    "said",
    [
        "max_num_batched_tokens=8192 is below max_tokens=9000",
        "Input should be a valid list; content of the file is short",
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "open https://huggingface.co/a/b/tree/main and http://localhost:8080/x@y",
        "a risk-adjusted value, disk-attached storage, task-12345678 failed",
    ],
)
def test_the_rest_is_told_as_it_was_said(said: str) -> None:
    assert without_secrets(said) == said


PIECES = ["http://", "a://", "bearer ", "authorization: ", "token ", "prompt", "eyJ-", "secret is "]


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece: str) -> None:
    began = time.monotonic()
    without_secrets(piece * (32_768 // len(piece)))
    without_secrets(f"x{piece}" * 2000 + "'")
    assert time.monotonic() - began < 2
