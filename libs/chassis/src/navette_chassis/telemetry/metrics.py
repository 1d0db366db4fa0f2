"""Metrics: recorded through OpenTelemetry, read as OpenMetrics text on ``/metrics`` or pushed by OTLP.

OpenTelemetry is the one instrumentation (traces use it anyway); the text a Prometheus scrapes is rendered
from its in-memory reader, which saves a second client library and its second set of counters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
from opentelemetry.sdk.resources import Resource

from navette_chassis.telemetry.catalogue import METRICS, Metric
from navette_chassis.telemetry.openmetrics import render

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MAX_LABEL = 100

LabelKey = tuple[tuple[str, str], ...]


class Metrics:
    """The metrics of one process. Names and labels outside the catalogue are dropped and counted."""

    def __init__(self, *, resource: Resource | None = None, readers: Iterable[MetricReader] = ()) -> None:
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider(
            metric_readers=[self._reader, *readers], resource=resource or Resource({}), shutdown_on_exit=False
        )
        meter = self._provider.get_meter("navette")
        self._observed: dict[str, dict[LabelKey, Callable[[], float | None]]] = {}
        self._instruments: dict[str, Any] = {}
        for name, metric in METRICS.items():
            if metric.kind == "counter":
                self._instruments[name] = meter.create_counter(name, metric.unit, metric.description)
            elif metric.kind == "histogram":
                self._instruments[name] = meter.create_histogram(
                    name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=_BUCKETS
                )
            else:
                self._observed[name] = {}
                meter.create_observable_gauge(name, [self._callback(name)], metric.unit, metric.description)

    def count(self, name: str, amount: int = 1, /, **labels: str) -> None:
        """Add to a counter."""
        if self._known(name, "counter"):
            self._instruments[name].add(amount, self._labels(name, labels))

    def record(self, name: str, value: float, /, **labels: str) -> None:
        """Put a value into a histogram (seconds)."""
        if self._known(name, "histogram"):
            self._instruments[name].record(value, self._labels(name, labels))

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Give a gauge a value that holds until the next."""
        self.observe(name, lambda: value, **labels)

    def observe(self, name: str, read: Callable[[], float | None], /, **labels: str) -> None:
        """Let a gauge be read at each collection; None leaves it out. A second call replaces the first."""
        if self._known(name, "gauge"):
            self._observed[name][tuple(sorted(self._labels(name, labels).items()))] = read

    def text(self) -> str:
        """All metrics in OpenMetrics text format 1.0.0."""
        return render(self._reader.get_metrics_data())

    def shutdown(self) -> None:
        """Flush what is pushed and stop."""
        self._provider.shutdown()

    def _callback(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for labels, read in list(self._observed[name].items()):
                value = read()
                if value is not None:
                    yield Observation(value, dict(labels))

        return observe

    def _known(self, name: str, kind: str) -> bool:
        metric: Metric | None = METRICS.get(name)
        if metric is not None and metric.kind == kind:
            return True
        self._dropped("metric")
        return False

    def _labels(self, name: str, labels: dict[str, str]) -> dict[str, str]:
        allowed = METRICS[name].labels
        if not labels.keys() <= allowed:
            self._dropped("label")
        return {key: str(value)[:_MAX_LABEL] for key, value in labels.items() if key in allowed}

    def _dropped(self, kind: str) -> None:
        self._instruments["navette_telemetry_dropped"].add(1, {"kind": kind})


class _Process:
    """The metrics of this process, made when first needed."""

    metrics: Metrics | None = None


def metrics() -> Metrics:
    """The metrics of this process."""
    if _Process.metrics is None:
        _Process.metrics = Metrics()
    return _Process.metrics


def use(replacement: Metrics) -> None:
    """Make these the metrics of the process (at start, or in a test)."""
    _Process.metrics = replacement
