"""OpenMetrics 1.0.0 text from what OpenTelemetry collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, Metric, MetricsData, Sum

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def render(data: MetricsData | None) -> str:
    """The exposition text, ending in ``# EOF``."""
    lines: list[str] = []
    for metric in _metrics(data):
        lines += _family(metric)
    return "\n".join([*lines, "# EOF", ""])


def _metrics(data: MetricsData | None) -> Iterator[Metric]:
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _family(metric: Metric) -> Iterator[str]:
    kind = "counter" if isinstance(metric.data, Sum) else "gauge"
    if isinstance(metric.data, Histogram):
        kind = "histogram"
    yield f"# TYPE {metric.name} {kind}"
    if metric.unit and metric.name.endswith("_" + metric.unit):
        yield f"# UNIT {metric.name} {metric.unit}"
    if metric.description:
        yield f"# HELP {metric.name} {_escaped(metric.description)}"
    for point in metric.data.data_points:
        labels = dict(point.attributes or {})
        if isinstance(point, HistogramDataPoint):
            yield from _histogram(metric.name, labels, point)
        else:
            suffix = "_total" if kind == "counter" else ""
            yield f"{metric.name}{suffix}{_labels(labels)} {_number(getattr(point, 'value', 0))}"


def _histogram(name: str, labels: Mapping[str, Any], point: HistogramDataPoint) -> Iterator[str]:
    below = 0
    for bound, count in zip([*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True):
        below += count
        yield f"{name}_bucket{_labels({**labels, 'le': _number(bound)})} {below}"
    yield f"{name}_count{_labels(labels)} {point.count}"
    yield f"{name}_sum{_labels(labels)} {_number(point.sum)}"


def _labels(labels: Mapping[str, Any]) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{key}="{_escaped(str(value))}"' for key, value in sorted(labels.items()))
    return "{" + inner + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
