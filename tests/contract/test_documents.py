"""What the documents say of the code is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_is_there(path: Path) -> None:
    for name in re.findall(r"`(test_\w+)`", path.read_text()):
        assert f"def {name}(" in TESTS, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(path: Path) -> None:
    text = path.read_text()
    named = re.findall(
        r"`((?:docs|tests|tools|layers|statemachines|functions|endpoints|events)/[\w./-]+)`", text
    )
    linked = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    for name in named:
        assert (ROOT / name).exists(), name
    for target in linked:
        assert (path.parent / target).exists(), target


# What the matrix of docs/failures.md has to answer, by words of each row's first column.
FAULTS = (
    "duplicated events", "reordered events", "late events", "lost events", "poison messages",
    "killed at any line", "two reconciles at once", "throttling, timeouts, internal errors",
    "conditional-check conflicts", "stale metrics", "missing metrics", "delayed metrics",
    "clock skew", "stuck in a state", "capacity gone", "secret rotated", "secret missing",
    "secret denied", "Slack down", "Hub down", "price list absent", "table restored",
    "stack update in the middle of a wake", "stack deletion", "runaway of wakes",
)  # fmt: skip
FAILURES = (ROOT / "docs" / "failures.md").read_text()


def rows(text: str) -> list[str]:
    """The rows of every table, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if not re.match(r"\| (fault|failure) \||\|---", line)]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_matrix_has_a_row_for_each_fault(fault: str) -> None:
    matrix = FAILURES.partition("## The matrix")[2].partition("\n## ")[0]
    assert any(fault in row.split("|")[1] for row in rows(matrix)), fault


@pytest.mark.parametrize("row", rows(FAILURES), ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_failure_names_a_test_that_shows_it(row: str) -> None:
    named = re.findall(r"`(?:tests/\S+/)?(test_\w+)(?:\.py)?`", row.rstrip("|").rpartition("|")[2])
    assert named, row
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for name in named:
        assert f"def {name}(" in TESTS or name in files, name


def soaked() -> set[str]:
    """Tests that only the soak runs."""
    found: dict[str, set[bool]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        marks = [one.value for one in tree.body if isinstance(one, ast.Assign)]
        whole = any("mark.soak" in ast.unparse(value) for value in marks)
        for one in ast.walk(tree):
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                own = any("mark.soak" in ast.unparse(mark) for mark in one.decorator_list)
                found.setdefault(one.name, set()).add(whole or own)
    return {name for name, marks in found.items() if marks == {True}}


def test_no_failure_is_shown_by_the_soak_alone() -> None:
    slow = soaked()
    assert "test_two_endpoints_live_through_a_fifth_of_all_calls_failing" in slow
    alone = [
        row
        for row in rows(FAILURES)
        if set(re.findall(r"`(?:tests/\S+/)?(test_\w+)(?:\.py)?`", row)) <= slow
    ]
    assert alone == []
