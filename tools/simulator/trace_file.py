"""Files with request traces."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from autoscaler.replay.trace import Service, Trace

COLUMNS = ("arrival_s", "input_tokens", "output_tokens")
# What is beyond is a mistake, as milliseconds for seconds, and no date or sum could hold it.
_LONGEST_SECONDS = 100 * 366 * 86400
_MOST_TOKENS = 10**9


class TraceError(ValueError):
    """A trace file that cannot be read; the message names the file, the line and the way out."""


def load_trace(path: Path, service: Service | None = None) -> Trace:
    """Reads CSV or gzip CSV with the columns arrival_s, input_tokens, output_tokens.

    Raises TraceError for what is no such file.
    """
    rows = list(_rows(path, service or Service()))
    if not rows:
        raise TraceError(f"{path}: no request in it")
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    return Trace(name, [row[0] for row in rows], [row[1] for row in rows])


def _rows(path: Path, service: Service) -> Iterator[tuple[float, float]]:
    last = 0.0
    for number, row in enumerate(_lines(path)):
        if number == 0:
            if tuple(row) != COLUMNS:
                raise TraceError(f"{path}: its first line must be {','.join(COLUMNS)}")
            continue
        try:
            arrival, inputs, outputs = map(float, row)
        except ValueError:
            raise TraceError(f"{path}, line {number + 1}: {row} are not three numbers") from None
        if not all(map(math.isfinite, (arrival, inputs, outputs))) or not (
            last <= arrival and inputs >= 0 and outputs >= 0
        ):
            raise TraceError(
                f"{path}, line {number + 1}: {row}: arrivals must not go back, and nothing may be "
                "negative or infinite"
            )
        if arrival > _LONGEST_SECONDS or max(inputs, outputs) > _MOST_TOKENS:
            raise TraceError(
                f"{path}, line {number + 1}: {row}: arrivals are seconds since the trace began, "
                f"{_LONGEST_SECONDS:,} at most, and a request has {_MOST_TOKENS:,} tokens at most"
            )
        last = arrival
        yield arrival, service.seconds(inputs, outputs)


def _lines(path: Path) -> Iterable[list[str]]:
    opening = gzip.open if path.suffix == ".gz" else open
    try:
        with opening(path, "rt", newline="") as file:
            yield from csv.reader(file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as wrong:
        raise TraceError(f"{path}: cannot be read as a trace: {wrong}") from None
