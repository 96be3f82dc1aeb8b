"""One world without endpoints for all histories of a process; each works in a copy of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.histories.world import World, world
from tools.hub.repository import make_repository
from tools.hub.server import HubServer

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"


@pytest.fixture(scope="module")
def empty() -> Iterator[World]:
    with (
        HubServer([make_repository(MODEL, shard_bytes=1 << 10)]) as hub,
        world(hub.endpoint) as made,
    ):
        yield made
