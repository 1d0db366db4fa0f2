"""Telemetry without health data: logs, traces and metrics by allow-list (``catalogue``)."""

from navette_chassis.telemetry.metrics import Metrics, metrics
from navette_chassis.telemetry.setup import configure, shutdown
from navette_chassis.telemetry.tracing import current_traceparent, span

__all__ = ["Metrics", "configure", "current_traceparent", "metrics", "shutdown", "span"]
