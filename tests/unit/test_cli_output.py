"""How an endpoint looks; text from outside is shown as it is written."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from tests.cli_stub import ENDPOINT
from tools.cli import output

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
HELD = {
    **ENDPOINT,
    "hold": {
        "min_copies": 1, "author": "ada", "until": "2026-11-24T18:00:00Z", "reason": "[b]launch[/b]"
    },
    "failure": "the wake failed: [no capacity]",
    "retry_at": "2026-11-24T08:00:00Z",
    "last_reason": "96 of 96 wakes are spent [today].",
    "last_reason_at": "2026-11-24T07:10:00Z",
    "history": [{"at": "2026-11-24T06:00:00Z", "phase": "ASLEEP", "text": "Zero [seen]."}],
}  # fmt: skip


def _shown(*endpoints: dict[str, Any], whole: bool = True, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(output.page({"endpoints": endpoints}, NOW, whole=whole))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_page_of_one_endpoint_shows_all_of_it() -> None:
    page = _shown(HELD)
    for shown in (
        "held at 1 or more by ada until 2026-11-24 18:00:00 UTC: [b]launch[/b]",
        "the wake failed: [no capacity]",
        "tried again at 2026-11-24 08:00:00 UTC",
        "since 2026-11-24 07:10:00 UTC: 96 of 96 wakes are spent [today].",
        "woken 2 times today (UTC); a start takes about 6m44s, bounds change next at",
        "2026-11-24 06:00:00 UTC ASLEEP Zero [seen].",
        "1h",
    ):
        assert shown in page


LONG = {
    "at": "2026-11-24T06:00:00Z",
    "phase": "SLEEPING",
    "text": "Idle for 10m and one copy costs more in an hour than waiting for the next start does.",
}


def test_a_long_sentence_of_the_history_goes_on_below_its_beginning() -> None:
    lines = _shown({**HELD, "history": [LONG, LONG]}, width=80).splitlines()
    first = next(i for i, line in enumerate(lines) if "Idle for" in line)
    column = lines[first].index("Idle for")
    assert lines[first + 1].strip()
    assert lines[first + 1][:column].strip() == ""
    assert lines[first][:column] == "2026-11-24 06:00:00 UTC SLEEPING "


def test_in_a_pipe_a_sentence_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(output, "console", Console(file=file, width=80))
    output.print_page({"endpoints": [{**HELD, "history": [LONG]}]}, NOW, whole=True)
    assert f"2026-11-24 06:00:00 UTC SLEEPING {LONG['text']}" in file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("phase", "copies"), [("ASLEEP", "0"), ("SLEEPING", "0"), ("AWAKE", "0 of 1-2")]
)
def test_bounds_are_shown_where_they_are_in_force(phase: str, copies: str) -> None:
    one = {**ENDPOINT, "phase": phase, "bounds": {"min_copies": 1, "max_copies": 2}}
    row = _shown(one, whole=False).splitlines()[1]
    assert row.split("1h")[1].split("  ")[1:][0].strip() == copies


def test_the_list_shows_a_line_each_and_what_is_in_force_below() -> None:
    heading, held, other, *below = _shown(HELD, ENDPOINT, whole=False).splitlines()
    assert [line.split()[0] for line in (heading, held, other)] == ["endpoint", "llama", "llama"]
    (line,) = below
    assert line.startswith("llama is held at 1 or more by ada until 2026-11-24 18:00:00 UTC: ")


def test_a_name_is_never_cut_short() -> None:
    name = "an-endpoint-with-the-longest-of-all-name"
    assert name in _shown({**ENDPOINT, "name": name}, whole=False, width=80)


def test_an_unknown_signal_is_not_a_zero() -> None:
    assert _shown(ENDPOINT, whole=False).rstrip().endswith("?")
    assert _shown({**ENDPOINT, "backlog": 0}, whole=False).rstrip().endswith("0")
