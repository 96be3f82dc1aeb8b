"""Request traces: the generated one, and files."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from autoscaler.spec import parse_spec
from tools.cli.client import RefusedError
from tools.cli.demo.trace import Arrival, Trace, first_of, generated
from tools.embedded.sagemaker.settings import SimSettings

SPEC = Path("endpoints/deepseek-r1-distill-llama-8b.yaml")

HEADER = "arrival_s,input_tokens,output_tokens\n"
ROWS = "3.0,374,44\n4.5,396,109\n70.0,10,5\n"


def test_the_generated_trace_is_always_the_same() -> None:
    assert generated() == generated()


def test_the_generated_trace_is_small_and_begins_with_a_trickle() -> None:
    trace = generated().arrivals
    assert len(trace) <= 300
    assert trace[0].seconds == 0
    assert trace[-1].seconds <= 12 * 60
    assert all(a.seconds <= b.seconds for a, b in pairwise(trace))
    assert all(one.input_tokens >= 1 and 1 <= one.output_tokens <= 2500 for one in trace)
    assert sum(one.seconds < 5 * 60 for one in trace) < 30


def test_the_burst_of_the_generated_trace_needs_the_copies_that_it_says() -> None:
    """Its work is more than one copy fewer takes at once, for longer than a copy takes to come."""
    trace, spec = generated(), parse_spec(yaml.safe_load(SPEC.read_text()))
    at_once = (trace.needs - 1) * spec.serving.concurrency_per_copy
    cold_start = SimSettings().instance + SimSettings().container + SimSettings().weights
    work: dict[int, float] = {}  # copy-slot seconds that arrive in each minute
    for one in trace.arrivals:
        minute = int(one.seconds // 60)
        work[minute] = work.get(minute, 0.0) + _seconds(one)
    busy = [minute for minute, seconds in work.items() if seconds / 60 > at_once]
    assert trace.needs == 2 <= spec.scaling.max_copies
    assert len(busy) * 60 > cold_start + 60
    assert max(work.values()) / 60 <= 2 * at_once, "and no more than they take"


def _seconds(one: Arrival) -> float:
    settings = SimSettings()
    first = settings.first_token + one.input_tokens / settings.prefill_rate
    return first + one.output_tokens * settings.token


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_by_its_content_not_its_name(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "trace.txt"
    content = (HEADER + ROWS).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    expected = (Arrival(0.0, 374, 44), Arrival(1.5, 396, 109), Arrival(67.0, 10, 5))
    assert first_of(path, 5, 400) == Trace("trace.txt", expected)


def test_only_the_beginning_of_a_big_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + ROWS)
    assert str(first_of(path, 1, 400)) == "2 requests of trace.csv, only its first 1 minutes"
    assert str(first_of(path, 5, 2)) == "2 requests of trace.csv, only its first 2"
    assert str(first_of(path, 5, 3)) == "3 requests of trace.csv"


def test_what_comes_after_the_beginning_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + ROWS + "nonsense\n")
    assert len(first_of(path, 1, 400).arrivals) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: columns"),
        (HEADER, "holds no request"),
        ("time,in,out\n1,2,3\n", "line 1: columns"),
        (HEADER + "1.0,2,3\nsoon,2,3\n", "line 3: "),
        (HEADER + "1.0,2\n", "line 2: "),
        (HEADER + "1.0,2,3,4\n", "line 2: "),
        (HEADER + "1.0,2.5,3\n", "line 2: "),
        (HEADER + "1.0,-2,3\n", "line 2: "),
        (HEADER + "nan,2,3\n", "line 2: "),
        (HEADER + "inf,2,3\n", "line 2: "),
        (HEADER + "5.0,2,3\n4.0,2,3\n", "line 3: "),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(RefusedError) as refused:
        first_of(path, 5, 400)
    (problem,) = refused.value.problems
    assert problem.startswith(f"{path}: ")
    assert said in problem


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROWS * 50).encode())
    damaged = {
        "cut.csv.gz": whole[: len(whole) // 2],
        "flipped.csv.gz": whole[:20] + bytes([whole[20] ^ 255]) + whole[21:],
        "binary.csv": b"\xff\xfe\x00",
    }
    for name, content in damaged.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=name):
            first_of(path, 5, 400)
    with pytest.raises(RefusedError, match="there is no such trace"):
        first_of(tmp_path / "none.csv", 5, 400)
    with pytest.raises(RefusedError, match="cannot be read"):
        first_of(tmp_path, 5, 400)
