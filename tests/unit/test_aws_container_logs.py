"""Container logs are read in a bounded number of calls, and no start ends for want of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.container_logs import CloudWatchContainerLogs
from tests.memory import NOON


@dataclass
class Pages:
    """CloudWatch's client: pages without end, or a refusal."""

    refusal: str = ""
    calls: int = 0

    def filter_log_events(self, **_asked: Any) -> dict[str, Any]:
        self.calls += 1
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal}}, "FilterLogEvents")
        return {"events": [], "nextToken": str(self.calls)}


def test_empty_pages_are_not_turned_for_ever() -> None:
    pages = Pages()
    assert CloudWatchContainerLogs("prod", pages).read("llama", NOON) == []
    assert pages.calls == 20


@pytest.mark.parametrize("refusal", ["ResourceNotFoundException", "ThrottlingException"])
def test_what_cannot_be_read_now_is_read_at_the_next_look(refusal) -> None:
    pages = Pages(refusal)
    assert CloudWatchContainerLogs("prod", pages).read("llama", NOON) == []
    assert pages.calls == 1


def test_any_other_refusal_is_loud() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        CloudWatchContainerLogs("prod", Pages("AccessDeniedException")).read("llama", NOON)
