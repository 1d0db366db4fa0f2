"""Outgoing HTTP seen by telemetry: a span and a duration per request, trace and correlation handed on."""

from __future__ import annotations

import time

import httpx
from opentelemetry.trace import SpanKind

from navette_chassis.origin import known_origin
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.tracing import current_traceparent, span

CORRELATION_HEADER = "X-Correlation-ID"


class TracedTransport(httpx.AsyncBaseTransport):
    """Wraps a transport. ``server`` is our name of the other side; URL and headers never become telemetry.

    ``hand_on``: whether the other side is ours and may have the trace and correlation ids.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, server: str, *, hand_on: bool = True) -> None:
        self._inner = inner
        self._server = server
        self._hand_on = hand_on

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, measured."""
        started = time.perf_counter()
        status = "none"
        attributes: dict[str, str | int | bool] = {
            "http.request.method": request.method,
            "server.name": self._server,
        }
        with span(f"{request.method} {self._server}", SpanKind.CLIENT, attributes=attributes) as current:
            if self._hand_on:
                _hand_on(request)
            try:
                response = await self._inner.handle_async_request(request)
                status = str(response.status_code)
                current.set_attribute("http.response.status_code", response.status_code)
            finally:
                metrics().record(
                    "navette_http_client_seconds",
                    time.perf_counter() - started,
                    server=self._server,
                    status=status,
                )
            return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._inner.aclose()


def _hand_on(request: httpx.Request) -> None:
    traceparent = current_traceparent()
    if traceparent is not None:
        request.headers["traceparent"] = traceparent
    origin = known_origin()
    if origin is not None:
        request.headers[CORRELATION_HEADER] = origin.correlation_id
