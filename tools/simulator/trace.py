"""Request traces: when requests arrive and how long a copy works on each."""

from __future__ import annotations

import csv
import gzip
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("arrival_s", "input_tokens", "output_tokens")


class TraceError(ValueError):
    """A trace file that cannot be read; the message names the file, the line and the way out."""


@dataclass(frozen=True)
class Service:
    """Seconds a copy works on one request: fixed + input / rate + output × seconds per token.

    The defaults are those of the comparison in docs/policy.md: an 8B model on one 48 GB card.
    """

    fixed_seconds: float = 0.3
    input_tokens_per_second: float = 6000.0
    seconds_per_output_token: float = 0.018

    def seconds(self, input_tokens: float, output_tokens: float) -> float:
        """Returns the service time of one request."""
        return (
            self.fixed_seconds
            + input_tokens / self.input_tokens_per_second
            + output_tokens * self.seconds_per_output_token
        )


@dataclass(frozen=True)
class Trace:
    """Requests in order of arrival. All in seconds from the start of the trace."""

    name: str
    arrivals: Sequence[float]
    services: Sequence[float]

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def seconds(self) -> float:
        """From the start until the last request would be done if none waited."""
        if not self.arrivals:
            return 0.0
        return max(a + s for a, s in zip(self.arrivals[-2000:], self.services[-2000:], strict=True))

    def until(self, seconds: float) -> Trace:
        """The requests that arrive before."""
        count = bisect_left(self.arrivals, seconds)
        return Trace(self.name, self.arrivals[:count], self.services[:count])


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
        if not (math.isfinite(arrival) and last <= arrival and inputs >= 0 and outputs >= 0):
            raise TraceError(
                f"{path}, line {number + 1}: {row}: arrivals must not go back, and nothing may be "
                "negative or infinite"
            )
        last = arrival
        yield arrival, service.seconds(inputs, outputs)


def _lines(path: Path) -> Iterable[list[str]]:
    opening = gzip.open if path.suffix == ".gz" else open
    try:
        with opening(path, "rt", newline="") as file:
            yield from csv.reader(file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as wrong:
        raise TraceError(f"{path}: cannot be read as a trace: {wrong}") from None
