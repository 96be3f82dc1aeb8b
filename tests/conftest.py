"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tools.embedded.kernel.processes import launcher

# A busy machine is no falsification: speed is measured by benchmarks, as ratios.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Files of one or two tests that take more than a minute. Files are handed out in this order
# (`--no-loadscope-reorder`; workers.py says to whom), and what is long must not be begun when the
# others are done.
LONGEST = (
    "histories/test_single_faults.py",
    "histories/test_random_histories.py",
    "histories/test_races.py",
    "embedded/test_demo.py",
    "embedded/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file the order stays."""
    items.sort(key=lambda item: _place(item.path))


@pytest.fixture(scope="session", autouse=True)
def handlers_are_forked_from_one() -> Iterator[None]:
    """What handler processes are forked from takes seconds to start, and outlives the accounts."""
    share = launcher()
    yield
    share.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For several workers that take whole files."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.workers import MixedScheduling

    return MixedScheduling(config, log)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: a collection need not look at it each time again.

    Ten thousand tests and what they import are half a million objects, half a second each time.
    """
    gc.collect()
    gc.freeze()


def _place(path: Path) -> int:
    inside = path.as_posix().rpartition("/tests/")[2]
    found = (n for n, begin in enumerate(LONGEST) if inside.startswith(begin))
    return next(found, len(LONGEST))
