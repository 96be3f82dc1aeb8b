"""Every threat has a control and a test, every failure what happens and a test; all are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
FUNCTIONS = set(re.findall(r"def (test_\w+)\(", "\n".join(p.read_text() for p in FILES.values())))
_HEAD = re.compile(
    r"^\| (?:threat|failure|fault) \| (?:control|what happens) \| (who must act \| )?test \|$",
    re.MULTILINE,
)


def rows(text: str) -> list[tuple[int, list[str]]]:
    """Of all tables whose last column is `test`: how many cells a row has, and those it has."""
    found = []
    for head in _HEAD.finditer(text):
        lines = text[head.end() :].lstrip("\n").splitlines()[1:]  # without the rule below the head
        end = next((n for n, line in enumerate(lines) if not line.startswith("|")), None)
        for line in lines[:end]:
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found.append((4 if head[1] else 3, cells))
    return found


def problems(text: str) -> list[str]:
    found = []
    for wanted, cells in rows(text):
        if len(cells) != wanted or not all(cells):
            found.append(f"{cells[0][:60]}: a cell is missing or empty")
            continue
        named = re.findall(r"`(?:tests/[\w/]+/)?(test_\w+(?:\.py)?)`", cells[-1])
        if not named:
            found.append(f"{cells[0][:60]}: no test is named")
        found += [
            f"{cells[0][:60]}: there is no {name}"
            for name in named
            if name not in FILES and name not in FUNCTIONS
        ]
    return found


@pytest.mark.parametrize("name", ["security.md", "failures.md"])
def test_every_row_names_a_test_that_is_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    assert len(rows(text)) > 20
    assert problems(text) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("| a threat | a control | |", "a cell is missing or empty"),
        ("| a threat | | `test_threats.py` |", "a cell is missing or empty"),
        ("| a threat | a control | by hand |", "no test is named"),
        ("| a threat | a control | `test_of_nobody` |", "there is no test_of_nobody"),
        ("| a threat | a control | `tests/unit/test_gone.py` |", "there is no test_gone.py"),
    ],
)
def test_a_row_without_a_proof_is_found(row: str, said: str) -> None:
    (problem,) = problems(f"| threat | control | test |\n|---|---|---|\n{row}\n\nmore\n")
    assert said in problem
