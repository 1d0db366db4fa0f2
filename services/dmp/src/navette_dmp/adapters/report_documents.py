"""Documents of the service report, over HTTP with a service token."""

from __future__ import annotations

import httpx
from navette_chassis.auth.client import ServiceTokenError

from navette_dmp.use_cases.ports import DocumentMissing, DocumentsUnavailable


class ReportDocuments:
    """The document store of report."""

    def __init__(self, client: httpx.AsyncClient, *, max_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_bytes

    async def fetch_cda(self, document_id: str) -> bytes:
        """CDA of a document, cut one byte past the limit. Raises DocumentMissing or DocumentsUnavailable."""
        data = bytearray()
        try:
            async with self._client.stream("GET", f"/internal/documents/{document_id}/cda") as response:
                if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                    raise DocumentMissing
                if response.status_code != httpx.codes.OK:
                    raise DocumentsUnavailable
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > self._max_bytes:
                        break
        except (httpx.HTTPError, ServiceTokenError):
            raise DocumentsUnavailable from None
        return bytes(data)
