"""Traces across HTTP and Kafka, with an attribute allow-list at the exporter and redacted exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from navette_chassis.telemetry import redact
from navette_chassis.telemetry.catalogue import SPAN_ATTRIBUTES
from navette_chassis.telemetry.metrics import metrics

_SPAN_NAME = re.compile(r"[A-Za-z0-9 ._/{}:-]{1,120}")
_MAX_TEXT = 128
_propagator = TraceContextTextMapPropagator()


class _Process:
    provider: TracerProvider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)


def configure(service: str, processors: Sequence[SpanProcessor] = ()) -> TracerProvider:
    """Make the tracer provider of this process; wrap exporters in ``AllowListExporter`` first."""
    provider = TracerProvider(resource=Resource({"service.name": f"navette-{service}"}), shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    _Process.provider = provider
    return provider


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    traceparent: str | None = None,
    attributes: Mapping[str, str | int | bool] | None = None,
) -> Iterator[Span]:
    """Run a block in a span, child of ``traceparent`` when given, else of the current span.

    An exception marks the span as failed with its type and code, never its message, and is raised on.
    """
    parent = context_of(traceparent) if traceparent is not None else None
    tracer = _Process.provider.get_tracer("navette")
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=dict(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            failed(current, error)
            raise


def failed(current: Span, error: BaseException) -> None:
    """Mark a span as failed by an exception, redacted."""
    facts = {"exception.type": redact.exception_type(error)}
    code = redact.exception_code(error)
    if code is not None:
        facts["exception.code"] = code
    current.add_event("exception", facts)
    current.set_attribute("error.type", facts["exception.type"])
    current.set_status(Status(StatusCode.ERROR))


def current_traceparent() -> str | None:
    """W3C ``traceparent`` of the current span, to be put into HTTP or CloudEvents headers."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The remote parent named by a ``traceparent``; an empty context if it is malformed."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {}, Context())


class AllowListExporter(SpanExporter):
    """Passes on spans reduced to listed attributes; wraps whatever exporter sends them."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See ``SpanExporter``."""
        return self._inner.export([_reduced(one) for one in spans])

    def shutdown(self) -> None:
        """See ``SpanExporter``."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See ``SpanExporter``."""
        return self._inner.force_flush(timeout_millis)


def _reduced(one: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=one.name if _SPAN_NAME.fullmatch(one.name) else "span",
        context=one.context,
        parent=one.parent,
        resource=Resource({"service.name": one.resource.attributes.get("service.name", "navette")}),
        attributes=_listed(one.attributes),
        events=[
            Event(name if (name := event.name) == "exception" else "event", _listed(event.attributes), event.timestamp)
            for event in one.events
        ],
        links=[Link(link.context, _listed(link.attributes)) for link in one.links],
        kind=one.kind,
        status=Status(one.status.status_code),
        start_time=one.start_time,
        end_time=one.end_time,
        instrumentation_scope=one.instrumentation_scope,
    )


def _listed(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    attributes = attributes or {}
    kept = {
        key: value[:_MAX_TEXT] if isinstance(value, str) else value
        for key, value in attributes.items()
        if key in SPAN_ATTRIBUTES and isinstance(value, str | int | float | bool)
    }
    if len(kept) < len(attributes):
        metrics().count("navette_telemetry_dropped", len(attributes) - len(kept), kind="span_attribute")
    return kept


def shutdown() -> None:
    """Send the spans still held."""
    _Process.provider.shutdown()
