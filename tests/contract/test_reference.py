"""The pages that are made from the code are what the code says now."""

from __future__ import annotations

import pytest

from autoscaler.alerts.events.registry import EVENTS
from tools.embedded.kernel.stack import load
from tools.reference.__main__ import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert PAGES[name]() == (ROOT / name).read_text()  # else: make reference


def test_every_parameter_and_every_event_has_its_row() -> None:
    parameters = load(ROOT / "template.yaml")["Parameters"]
    for name, known in {"docs/parameters.md": parameters, "docs/events.md": EVENTS}.items():
        heads = [line.split("|")[1].strip() for line in PAGES[name]().splitlines() if "|" in line]
        assert {f"`{one}`" for one in known} <= set(heads)


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.__name__)
def test_every_event_says_when_it_happens(event: type) -> None:
    assert "__doc__" in vars(event) and vars(event)["__doc__"]
