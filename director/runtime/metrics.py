"""Metrics as values: what each is called and means, and the text that Prometheus reads.

Nothing is counted here behind anybody's back: whoever serves a scrape fills a sheet from what it
knows at that moment, so that nothing else pays for metrics. What has to be counted as it happens is
a plain integer of the part that counts it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

# What every Prometheus since 2.0 reads; the newer formats differ only in what we do not use.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
_NS_PER_S = 1_000_000_000


class Kind(StrEnum):
    """Kinds of metric, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: With prefix, base unit and, on a counter, ``_total``.
        meaning: One sentence.
        labels: Names of its labels; the values of each are bounded by what is declared.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()


class Buckets:
    """A histogram of durations.

    Args:
        bounds_s: Upper bounds of the buckets in seconds, ascending; one without a bound is added.
    """

    __slots__ = ("_bounds_ns", "_bounds_s", "_counts", "_sum_ns")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        assert list(bounds_s) == sorted(set(bounds_s)), "bounds ascend"
        self._bounds_s = tuple(bounds_s)
        self._bounds_ns = [round(each * _NS_PER_S) for each in bounds_s]
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_ns = 0

    def take(self, duration_ns: int) -> None:
        """Count one duration, in nanoseconds."""
        self._counts[bisect_left(self._bounds_ns, duration_ns)] += 1
        self._sum_ns += duration_ns

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self._counts)

    @property
    def sum_s(self) -> float:
        """Their sum in seconds."""
        return self._sum_ns / _NS_PER_S

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (bound, durations up to it) for each bucket; the last bound is ``+Inf``."""
        rows, total = [], 0
        for bound, count in zip((*self._bounds_s, None), self._counts, strict=True):
            total += count
            rows.append(("+Inf" if bound is None else repr(float(bound)), float(total)))
        return rows


class Sheet:
    """What one scrape is answered with. Every metric is named in it, also one without a value."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._families = {each.name: _family(each) for each in metrics}

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Set one value; ``labels`` in the order in which the metric names them."""
        assert len(labels) == len(metric.labels), f"{metric.name} has labels {metric.labels}"
        family = self._families[metric.name]
        assert not isinstance(family, HistogramMetricFamily), "histograms are put as buckets"
        family.add_metric(labels, value)

    def put_buckets(self, metric: Metric, buckets: Buckets, *labels: str) -> None:
        """Set one histogram."""
        assert len(labels) == len(metric.labels), f"{metric.name} has labels {metric.labels}"
        family = self._families[metric.name]
        assert isinstance(family, HistogramMetricFamily), "only histograms are put as buckets"
        family.add_metric(labels, buckets.cumulative(), buckets.sum_s)

    def text(self) -> bytes:
        """Return the text of the exposition format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._families.values()))
        return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: Iterable[_Family]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[_Family]:
        yield from self._families


def _family(metric: Metric) -> _Family:
    match metric.kind:
        case Kind.COUNTER:
            return CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
