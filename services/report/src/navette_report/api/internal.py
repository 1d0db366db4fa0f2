"""Documents for the services that send them."""

from __future__ import annotations

from fastapi import APIRouter, Response
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.problem import ProblemError

from navette_report.adapters import documents
from navette_report.api.access import DOCUMENT_READERS, Caller, record


def internal_routes(service: Service) -> APIRouter:
    """CDA and PDF by document id, for dmp and mss only."""
    router = APIRouter(prefix="/internal/documents", tags=["internal"])

    @router.get("/{document_id}/cda", response_class=Response)
    async def read_cda(caller: Caller, document_id: str) -> Response:
        return await _answer(service, caller, document_id, documents.Form.CDA)

    @router.get("/{document_id}/pdf", response_class=Response)
    async def read_pdf(caller: Caller, document_id: str) -> Response:
        return await _answer(service, caller, document_id, documents.Form.PDF)

    return router


async def _answer(service: Service, caller: Principal, document_id: str, form: documents.Form) -> Response:
    found = await documents.describe(service.database, document_id, form)
    if found is None:
        raise ProblemError.not_found()
    granted = caller.subject in DOCUMENT_READERS
    await record(service, caller, f"document.{form}", "document", document_id, found.site_id, granted=granted)
    if not granted:
        raise ProblemError.forbidden("Ce service ne transmet pas de documents.")
    content = await documents.content_of(service.database, found, form)
    return Response(
        content,
        media_type=documents.MEDIA_TYPE[form],
        headers={"ETag": f'"{found.sha256}"', "Cache-Control": "no-store"},
    )
