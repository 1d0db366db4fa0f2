"""The documents of a report, fetched from the report service and checked against what the event promised."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakValueDictionary

import httpx
from navette_chassis.auth.client import ServiceTokenError

from navette_mss.use_cases.ports import DocumentRefusedError, DocumentUnavailableError

#: How long a document is kept in memory, seconds: its recipients are served within moments of each other.
KEPT_SECONDS = 60.0
#: How much is kept at most, bytes.
KEPT_BYTES = 32_000_000

Key = tuple[str, str, str]


class ReportDocuments:
    """Reads `/internal/documents/{id}/cda|pdf`, once for all recipients of a document."""

    def __init__(self, http: httpx.AsyncClient, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._monotonic = monotonic
        self._kept: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, document_id: str, kind: str, sha256: str, size: int) -> bytes:
        """The bytes of `cda` or `pdf`. Raises `DocumentUnavailableError`, `DocumentRefusedError`."""
        key = (document_id, kind, sha256)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:  # who comes second finds what the first has fetched
            self._forget()
            if key not in self._kept:
                self._kept[key] = (self._monotonic(), await self._fetch(document_id, kind, sha256, size))
            return self._kept[key][1]

    async def _fetch(self, document_id: str, kind: str, sha256: str, size: int) -> bytes:
        try:
            answer = await self._http.get(f"/internal/documents/{document_id}/{kind}")
        except (httpx.HTTPError, ServiceTokenError) as error:
            raise DocumentUnavailableError(type(error).__name__) from None
        if answer.status_code in (404, 410):
            raise DocumentRefusedError("document-not-found")
        if answer.status_code != 200:
            raise DocumentUnavailableError(str(answer.status_code))
        content = answer.content
        if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
            raise DocumentRefusedError("document-altered")
        return content

    def _forget(self) -> None:
        """Drop what is old, and the oldest when there is too much."""
        now = self._monotonic()
        held = sum(len(content) for _, content in self._kept.values())
        while self._kept:
            at, content = next(iter(self._kept.values()))
            if now - at < KEPT_SECONDS and held <= KEPT_BYTES:
                return
            held -= len(content)
            self._kept.popitem(last=False)
