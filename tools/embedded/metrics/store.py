"""All metric samples of the account, indexed by series and ordered by time."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.embedded.metrics.samples import Sample, statistic
from tools.embedded.types import Datapoint

RETENTION_SECONDS = 15 * 86_400  # as long as CloudWatch keeps one-minute data
MAX_SAMPLES = 100_000  # of one series; the oldest quarter goes first


@dataclass(frozen=True)
class SeriesKey:
    """A metric: namespace, name and the exact set of its dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(namespace: str, name: str, dimensions: Mapping[str, str]) -> SeriesKey:
        return SeriesKey(namespace, name, tuple(sorted(dimensions.items())))


class MetricsStore:
    """Keeps samples for 15 simulated days, at most MAX_SAMPLES a series. Implements MetricSink."""

    def __init__(self) -> None:
        self._series: dict[SeriesKey, list[Sample]] = {}
        self._lock = threading.Lock()

    def put_metric(self, datapoint: Datapoint) -> None:
        key = SeriesKey.of(datapoint.namespace, datapoint.name, datapoint.dimensions)
        self.add(key, Sample.of(datapoint.time, datapoint.value, unit=datapoint.unit))

    def add(self, key: SeriesKey, sample: Sample) -> None:
        with self._lock:
            samples = self._series.setdefault(key, [])
            if samples and sample.time < samples[-1].time:
                insort(samples, sample, key=_time)
            else:
                samples.append(sample)
            if len(samples) > MAX_SAMPLES or samples[0].time < sample.time - RETENTION_SECONDS:
                self._prune(samples)

    @staticmethod
    def _prune(samples: list[Sample]) -> None:
        old = bisect_left(samples, samples[-1].time - RETENTION_SECONDS, key=_time)
        if len(samples) - old > MAX_SAMPLES:
            old = len(samples) - MAX_SAMPLES * 3 // 4
        del samples[:old]

    def between(
        self, key: SeriesKey, start: float, end: float, unit: str | None = None
    ) -> list[Sample]:
        """The samples with start <= time < end, oldest first."""
        with self._lock:
            samples = self._series.get(key, [])
            found = samples[
                bisect_left(samples, start, key=_time) : bisect_left(samples, end, key=_time)
            ]
        return [s for s in found if s.unit == unit] if unit else found

    def values(
        self,
        key: SeriesKey,
        stat: str,
        period: float,
        start: float,
        end: float,
        unit: str | None = None,
    ) -> dict[float, float]:
        """A statistic for each window that has samples, by the window's first second.

        Windows begin at `start`, `start + period` ... before `end`; the last one is whole.
        """
        buckets: dict[float, list[Sample]] = {}
        last = start + -(-(end - start) // period) * period
        for sample in self.between(key, start, last, unit):
            buckets.setdefault(start + (sample.time - start) // period * period, []).append(sample)
        found = {begin: statistic(stat, samples) for begin, samples in buckets.items()}
        return {begin: value for begin, value in sorted(found.items()) if value is not None}

    def series_keys(self) -> Iterator[SeriesKey]:
        with self._lock:
            return iter(list(self._series))

    def last_time(self, key: SeriesKey) -> float | None:
        with self._lock:
            samples = self._series.get(key)
            return samples[-1].time if samples else None


def _time(sample: Sample) -> float:
    return sample.time
