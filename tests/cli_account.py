"""The account that a test's command line talks to."""

from __future__ import annotations

import boto3
import pytest

from tools.cli import output


def talks_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, Region and address of a stand-in, and a terminal of 160 columns."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps credentials once found
    monkeypatch.setattr(output.console, "_width", 160)
