"""Embedded metric format: metrics that functions write as JSON lines into their logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.embedded.metrics.samples import Sample
from tools.embedded.metrics.store import MetricsStore, SeriesKey


def ingest_line(store: MetricsStore, line: str, now: float) -> int:
    """Stores the metrics of one log line; returns how many samples there were.

    Stamped with `now`: a handler's own clock is the wall's, the account's may run faster.
    """
    if '"_aws"' not in line:
        return 0
    try:
        document = json.loads(line)
    except ValueError:
        return 0
    count = 0
    for key, sample in _samples(document, now):
        store.add(key, sample)
        count += 1
    return count


def _samples(document: Any, now: float) -> Iterator[tuple[SeriesKey, Sample]]:
    header = document.get("_aws") if isinstance(document, Mapping) else None
    if not isinstance(header, Mapping):
        return
    for directive in header.get("CloudWatchMetrics") or ():
        for names in directive.get("Dimensions") or [[]]:
            if any(name not in document for name in names):
                continue
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive.get("Metrics") or ():
                key = SeriesKey.of(directive["Namespace"], metric["Name"], dimensions)
                for value in _numbers(document.get(metric["Name"])):
                    yield key, Sample.of(now, value, unit=metric.get("Unit") or "None")


def _numbers(value: Any) -> Iterator[float]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, int | float) and not isinstance(item, bool):
            yield float(item)
