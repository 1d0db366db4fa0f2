"""Service-to-service calls: short tokens by RFC 7523 assertion, and the HTTP clients that carry them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from navette_chassis.clock import Clock
from navette_chassis.ids import uuid7
from navette_chassis.settings import ServiceSettings
from navette_chassis.telemetry.http_client import TracedTransport
from navette_chassis.tls import ReloadingTransport, TlsFiles

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
#: Life of an assertion, seconds.
ASSERTION_LIFE = 60
#: A token is renewed this long before it ends, seconds.
RENEW_BEFORE = 20


class ServiceTokenError(Exception):
    """psc-auth gave no token; ``code`` says why without repeating its answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ServiceTokenAuth(httpx.Auth):
    """Gets a token for one audience, puts it on each request, and asks for another when it is refused, once.

    The token request goes through the client that uses it. Raises ``ServiceTokenError``, and
    ``httpx.HTTPError`` when psc-auth cannot be reached.
    """

    requires_response_body = False

    def __init__(self, *, service: str, audience: str, psc_auth_url: str, key_file: Path, clock: Clock) -> None:
        self._service = service
        self._audience = audience
        self._endpoint = psc_auth_url.rstrip("/") + "/internal/tokens"
        self._key_file = key_file
        self._clock = clock
        self._token: tuple[str, float] | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See ``httpx.Auth``."""
        for last_try in (False, True):
            async with self._lock:  # one token request at a time; the others use what it brought
                if self._token is None or self._now() >= self._token[1] - RENEW_BEFORE:
                    answer = yield self._token_request()
                    await answer.aread()
                    self._token = self._received(answer)
                token = self._token[0]
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != 401 or last_try:
                return
            if self._token is not None and self._token[0] == token:
                self._token = None

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _token_request(self) -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
            "audience": self._audience,
        }
        return httpx.Request("POST", self._endpoint, data=form)

    def _received(self, answer: httpx.Response) -> tuple[str, float]:
        if answer.status_code != 200:
            raise ServiceTokenError(f"psc_auth_http_{answer.status_code}")
        try:
            body: Any = answer.json()
            return str(body["access_token"]), self._now() + float(body["expires_in"])
        except (ValueError, KeyError, TypeError):
            raise ServiceTokenError("psc_auth_answer_malformed") from None

    def _assertion(self) -> str:
        # Read at each use (once a minute at most): a rotated key file counts at once.
        key = ECKey.import_key(json.loads(self._key_file.read_text(encoding="utf-8")))
        now = int(self._now())
        claims = {
            "iss": self._service,
            "sub": self._service,
            "aud": self._endpoint,
            "iat": now,
            "exp": now + ASSERTION_LIFE,
            "jti": uuid7(),
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


class Caller(Protocol):
    """What is needed of a service that calls another."""

    @property
    def settings(self) -> ServiceSettings: ...

    @property
    def clock(self) -> Clock: ...


def service_client(
    caller: Caller, name: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """An HTTP client of the service ``name``: its base URL, internal TLS, a token for that audience.

    Raises ``LookupError`` when the settings give no URL or no ``service_key``. The caller closes it.
    """
    settings = caller.settings
    if settings.service_key is None:
        message = "service_key is needed to call another service"
        raise LookupError(message)
    auth = ServiceTokenAuth(
        service=settings.service_name,
        audience=name,
        psc_auth_url=settings.psc_auth_url,
        key_file=settings.service_key,
        clock=caller.clock,
    )
    inner = transport or ReloadingTransport(TlsFiles("internal", ca=settings.internal_ca))
    return httpx.AsyncClient(
        base_url=settings.url_of(name), transport=TracedTransport(inner, name), auth=auth, timeout=30.0
    )
