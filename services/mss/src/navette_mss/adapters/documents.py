"""The documents of a report, fetched from the report service and checked against what the event promised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import httpx
from navette_chassis.auth.client import ServiceTokenError

from navette_mss.use_cases.ports import DocumentRefusedError, DocumentUnavailableError


@dataclass(frozen=True, slots=True)
class ReportDocuments:
    """Reads `/internal/documents/{id}/cda|pdf`."""

    http: httpx.AsyncClient

    async def fetch(self, document_id: str, kind: str, sha256: str, size: int) -> bytes:
        """The bytes of `cda` or `pdf`. Raises `DocumentUnavailableError`, `DocumentRefusedError`."""
        try:
            answer = await self.http.get(f"/internal/documents/{document_id}/{kind}")
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
