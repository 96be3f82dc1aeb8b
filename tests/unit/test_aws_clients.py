"""How often a call of AWS is repeated, and how long its answer is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.aws.clients import client


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-a-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.mark.parametrize(
    ("service", "attempts", "seconds"),
    [
        ("sagemaker-runtime", 1, 490),
        ("sagemaker", 4, 7),
        ("s3", 5, 30),
    ],
)
def test_a_model_is_asked_once_and_for_long_and_others_again_and_soon(
    service: str, attempts: int, seconds: int
) -> None:
    """A request that the client repeats is paid twice, in GPU time, and its queue repeats it as
    well. SageMaker ends an answer after 8 minutes: whoever waits for less cuts a long one."""
    config = client(service).meta.config
    assert config.retries["total_max_attempts"] == attempts
    assert config.read_timeout == seconds
