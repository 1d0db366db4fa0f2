"""Telemetry of one process, switched on once at start."""

from __future__ import annotations

from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor

from navette_chassis.settings import ServiceSettings
from navette_chassis.telemetry import logs, tracing
from navette_chassis.telemetry.metrics import Metrics, metrics, use


def configure(settings: ServiceSettings) -> None:
    """Start logs, metrics and traces; the latter two are pushed when an OTLP endpoint is set."""
    logs.configure(settings.service_name, settings.log_level)
    readers: list[MetricReader] = []
    processors: list[SpanProcessor] = []
    if settings.otlp_endpoint is not None:
        # Imported only here: the exporter costs 20 MB that a process without collector need not pay.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        base = settings.otlp_endpoint.rstrip("/")
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{base}/v1/metrics")))
        exporter = tracing.AllowListExporter(OTLPSpanExporter(endpoint=f"{base}/v1/traces"))
        processors.append(BatchSpanProcessor(exporter))
    resource = Resource({"service.name": f"navette-{settings.service_name}"})
    use(Metrics(resource=resource, readers=readers))
    tracing.configure(settings.service_name, processors)


def shutdown() -> None:
    """Send what is still held and stop; at the end of the process."""
    tracing.shutdown()
    metrics().shutdown()
