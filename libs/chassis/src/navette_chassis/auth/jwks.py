"""Public keys of psc-auth: cached, fetched again when an unknown key id appears (rotation)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from navette_chassis.settings import ServiceSettings
from navette_chassis.tls import TlsFiles

#: How long keys are used without asking again, seconds.
FRESH = 300.0
#: How long keys still count when psc-auth cannot be reached, seconds.
STALE = 3600.0
#: Least time between two fetches, seconds: tokens with invented key ids must not become a load on psc-auth.
MIN_INTERVAL = 5.0


class JwksUnavailableError(Exception):
    """No usable key set, and psc-auth cannot be asked."""


class JwksCache:
    """Keys by id. ``fetch`` returns the JWKS object; ``monotonic`` is a clock in seconds."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Any]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, ECKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> ECKey | None:
        """The public key of this id, None if psc-auth does not publish it.

        Raises ``JwksUnavailableError`` when no key set is known or it is too old and cannot be renewed.
        """
        if kid in self._keys and self._age() < FRESH:
            return self._keys[kid]
        async with self._lock:
            if (kid not in self._keys or self._age() >= FRESH) and self._may_try():
                await self._renew()
        if self._age() >= STALE:
            raise JwksUnavailableError
        return self._keys.get(kid)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._monotonic() - self._fetched_at

    def _may_try(self) -> bool:
        return self._tried_at is None or self._monotonic() - self._tried_at >= MIN_INTERVAL

    async def _renew(self) -> None:
        self._tried_at = self._monotonic()
        try:
            self._keys = _signing_keys(await self._fetch())
        except (httpx.HTTPError, JoseError, OSError, ValueError, KeyError, TypeError):
            return  # the age of what we have decides; the next request may try again
        self._fetched_at = self._monotonic()


def _signing_keys(jwks: Any) -> dict[str, ECKey]:
    keys = {}
    for entry in jwks["keys"]:
        if entry.get("kty") == "EC" and entry.get("crv") == "P-256" and entry.get("use", "sig") == "sig":
            if "d" in entry:
                message = "a published key must not be private"
                raise ValueError(message)
            keys[str(entry["kid"])] = ECKey.import_key(entry)
    return keys


def fetch_from(settings: ServiceSettings) -> Callable[[], Awaitable[Any]]:
    """The fetch function of a real psc-auth; a connection per fetch, so that new authorities count at once."""
    url = f"{settings.psc_auth_url.rstrip('/')}/.well-known/jwks.json"
    files = TlsFiles("internal", ca=settings.internal_ca)

    async def fetch() -> Any:
        async with httpx.AsyncClient(verify=files.client_context(), timeout=5.0) as client:
            answer = await client.get(url)
        answer.raise_for_status()
        return answer.json()

    return fetch
