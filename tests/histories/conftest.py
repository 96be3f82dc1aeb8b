"""One world without endpoints for all histories of a process; each works in a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest

from tests.histories.world import NAME, World, world
from tools.hub.repository import Repository, make_repository
from tools.hub.server import HubServer

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"


def few_files() -> Repository:
    """Enough to be staged: each file costs each case of a history its time."""
    whole = make_repository(MODEL, shards=1, shard_bytes=1 << 10)
    kept = {path: one for path, one in whole.files.items() if path.startswith(("config", "model"))}
    return replace(whole, files=kept)


@cache
def _rehearsed() -> None:
    """A world that is given up again: what a process reads and compiles once, the copies of the
    next one have from the beginning."""
    with HubServer([few_files()]) as hub, world(hub.endpoint) as made:
        made.apply()
        made.run(1800)
        made.command("delete", endpoint=NAME)
        assert made.settle()


@contextmanager
def empty_world() -> Iterator[World]:
    _rehearsed()
    with HubServer([few_files()]) as hub, world(hub.endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def empty() -> Iterator[World]:
    with empty_world() as made:
        yield made
