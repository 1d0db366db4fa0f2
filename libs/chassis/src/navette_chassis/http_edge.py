"""The outermost layer of every request: correlation, trace, duration, body rules, headers, last-resort errors."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from fastapi import params
from opentelemetry.trace import Span, SpanKind
from pymongo.errors import PyMongoError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from navette_chassis.auth.client import ServiceTokenError
from navette_chassis.ids import uuid7
from navette_chassis.origin import Origin, originating_from
from navette_chassis.problem import MEDIA_TYPE, ProblemError
from navette_chassis.telemetry import redact
from navette_chassis.telemetry.http_client import CORRELATION_HEADER
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.tracing import failed, span

log = structlog.get_logger("navette.http")

_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})

#: Longest silence in the middle of a body, seconds.
BODY_SECONDS = 20.0

#: Headers of every answer that does not set its own (OWASP secure headers; pages set their own CSP).
_SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Largest bodies in bytes: of any route, and of those whose path begins like one of ``document_paths``."""

    usual: int
    documents: int
    document_paths: tuple[str, ...] = ()

    def of(self, path: str) -> int:
        """The limit at a path."""
        return self.documents if path.startswith(self.document_paths) else self.usual


class EdgeMiddleware:
    """See the module. ``limits`` hold for announced and for chunked bodies alike."""

    def __init__(self, app: ASGIApp, *, limits: BodyLimits, strict_transport: bool) -> None:
        self._app = app
        self._limits = limits
        self._headers = dict(_SECURITY)
        if strict_transport:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; WebSockets are not spoken here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        incoming = Headers(scope=scope)
        correlation_id = incoming.get(CORRELATION_HEADER, "")
        if not _CORRELATION.fullmatch(correlation_id):
            correlation_id = uuid7()
        exchange = _Exchange(send, {**self._headers, CORRELATION_HEADER.lower(): correlation_id})
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        scope["method"] = method  # an invented method is refused as such and never becomes a log value
        started = time.perf_counter()
        with (
            originating_from(Origin(correlation_id)),
            span(f"{method} unmatched", SpanKind.SERVER, traceparent=incoming.get("traceparent", "")) as current,
        ):
            await self._serve(scope, receive, exchange, incoming, current)
            route = str(getattr(scope.get("route"), "path", "unmatched"))
            current.update_name(f"{method} {route}")
            current.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": exchange.status,
                    "navette.correlation_id": correlation_id,
                }
            )
        metrics().record(
            "navette_http_server_seconds",
            time.perf_counter() - started,
            route=route,
            method=method,
            status=str(exchange.status),
        )

    async def _serve(
        self, scope: Scope, receive: Receive, exchange: _Exchange, incoming: Headers, current: Span
    ) -> None:
        length, limit = incoming.get("content-length", "0"), self._limits.of(scope["path"])
        if not length.isdecimal() or int(length) > limit:
            await exchange.refuse(
                ProblemError(413, "body-too-large", "Le corps de la requête dépasse la taille admise.")
            )
            return
        body = _Body(scope, receive, incoming, limit)
        try:
            await self._app(scope, body.receive, exchange.send)
        except Exception as error:
            failed(current, error)
            problem = _last_resort(error)
            status = exchange.status if exchange.started else problem.status
            # Redacted facts are the record: a traceback quotes values.
            log.error("http.failed", method=scope["method"], status=status, **redact.describe(error))  # noqa: TRY400
            if exchange.started:
                raise
            await exchange.refuse(problem)


def _last_resort(error: Exception) -> ProblemError:
    if isinstance(error, PyMongoError):
        detail = "La base de données ne répond pas ; réessayez dans un instant."
        return ProblemError(503, "database-unavailable", detail, headers={"Retry-After": "5"})
    if isinstance(error, httpx.HTTPError | ServiceTokenError):
        return ProblemError(502, "upstream-failed", "Un autre service ne répond pas ; réessayez dans un instant.")
    return ProblemError(500, "internal-error", "Une erreur interne s'est produite ; elle a été enregistrée.")


class _Exchange:
    """The answer on its way out: remembers its status and completes its headers."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            outgoing = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                outgoing.setdefault(name, value)
        await self._send(message)

    async def refuse(self, problem: ProblemError) -> None:
        body = json.dumps(problem.body(), ensure_ascii=False).encode()
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            **{name.lower(): value for name, value in problem.headers.items()},
        }
        start = {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


class _Body:
    """The body on its way in: counted as it streams, its type checked against what the route reads."""

    def __init__(self, scope: Scope, receive: Receive, headers: Headers, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._limit = limit
        self._read = 0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # what follows a body is the client's leaving, however late
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            chunk = message.get("body", b"")
            if (chunk or message.get("more_body")) and self._read == 0:
                self._check_type()
            self._read += len(chunk)
            if self._read > self._limit:
                raise HTTPException(413, headers={"Connection": "close"})
        return message

    def _check_type(self) -> None:
        accepted = accepted_types(self._scope.get("route"))
        if accepted is not None and self._content_type not in accepted:
            raise HTTPException(415)


def accepted_types(route: Any) -> frozenset[str] | None:
    """Media types a route reads; None when it reads the request itself and must check on its own."""
    field = getattr(route, "body_field", None)
    if field is None:
        return None
    return _FORMS if isinstance(field.field_info, params.Form) else frozenset({"application/json"})
