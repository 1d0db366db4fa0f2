"""Received documents as pages: the file of a patient, one document readable, and what waits to be filed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.problem import ProblemError
from navette_documents.cda_header import read_header

from navette_report.adapters.received_documents import MOST, Part
from navette_report.api import received_schemas as said
from navette_report.api.access import CareTeam
from navette_report.api.act_pages import FORM_TYPE
from navette_report.api.listing import AfterId, first_link, next_link
from navette_report.api.received_access import Cabinet, Opened
from navette_report.api.rendering import FORM_PROOF_HEADER, POLICY, Renderer
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.received.model import Received, Standing
from navette_report.domain.received.narrative import Section, read_body
from navette_report.domain.received.reasons import label_of, who_acts
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.propose_patients import Candidate, propose_patients
from navette_report.use_cases.receive_document import ReceptionDesk
from navette_report.use_cases.settle_document import decide_news, file_document, set_document_aside

_WITH_IMAGES = POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Pictures inside a document are shown from within the page."""

Work = Callable[..., Awaitable[Received]]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A section, marked as safe: `narrative.py` wrote it."""

    title: str
    html: Markup
    level: int

    @classmethod
    def of(cls, section: Section) -> _Shown:
        # Headings of HTML end at h6; the page itself has h1 and h2.
        return cls(section.title, Markup(section.html), min(section.depth + 3, 6))  # noqa: S704 - built of known tags


def received_page_routes(service: Service, desk: Desk, reception: ReceptionDesk) -> APIRouter:
    """`/pages/patients/{id}/documents`, `/pages/received` and below."""
    router = APIRouter(prefix="/pages", tags=["pages"])
    pages = _Pages(service, desk, reception)

    @router.get("/patients/{patient_id}/documents", response_class=HTMLResponse)
    async def file_of(caller: CareTeam, patient_id: str, order: said.Order = said.Order.TYPE) -> HTMLResponse:
        return await pages.patient(caller, patient_id, order)

    @router.get("/received", response_class=HTMLResponse)
    async def waiting(
        request: Request,
        caller: CareTeam,
        after: AfterId = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> HTMLResponse:
        return await pages.waiting(request, caller, after, limit)

    @router.get("/received/{document_id}", response_class=HTMLResponse)
    async def one(request: Request, caller: CareTeam, document_id: str) -> HTMLResponse:
        return await pages.document(request, caller, document_id)

    @router.post("/received/{document_id}/{act}", response_class=HTMLResponse)
    async def act(request: Request, caller: CareTeam, document_id: str, act: str) -> Response:
        return await pages.act(request, caller, document_id, act)

    return router


class _Pages:
    def __init__(self, service: Service, desk: Desk, reception: ReceptionDesk) -> None:
        self._service = service
        self._reception = reception
        self._cabinet = Cabinet(service, reception)
        self._render = Renderer(service, desk)

    async def patient(self, caller: Principal, patient_id: str, order: said.Order) -> HTMLResponse:
        """The file of a patient, sorted; where each document comes from stands beside it (CDA/INT.04, .08)."""
        found = await self._cabinet.of_patient(caller, patient_id, order)
        site_id = found[0][0].site_id if found else next(iter(sorted(caller.sites)), "")
        return self._render.page(
            "patient_documents.html",
            patient=await self._render.patient(patient_id, site_id),
            current=[one for one in found if one[0].standing is Standing.FILED],
            former=[one for one in found if one[0].standing is not Standing.FILED],
            order=order.value,
            most=MOST,
            complete=len(found) < MOST,
            said=said,
        )

    async def waiting(self, request: Request, caller: Principal, after: str | None, limit: int) -> HTMLResponse:
        """What somebody must file, oldest first (MSS/UX.09)."""
        found, more = await self._cabinet.to_file(caller, after=after, limit=limit)
        return self._render.page(
            "received_waiting.html",
            found=found,
            first=None if after is None else first_link(request),
            next=next_link(request, more),
            said=said,
            label_of=label_of,
            who_acts=who_acts,
        )

    async def document(
        self, request: Request, caller: Principal, document_id: str, *, refusal: str = ""
    ) -> HTMLResponse:
        """One document: header, body, and what there is to decide about it."""
        document, summary = await self._cabinet.open(caller, document_id, "received.read")
        cda = await self._cabinet.reader.content(document_id, Part.CDA)
        # Off the event loop: a document may hold 20 MB of pictures.
        parts = f"../../received-documents/{document_id}/parts"
        reading = await asyncio.to_thread(read_body, cda, parts=parts)
        candidates = await self._candidates(caller, (document, summary))
        patient = None
        if document.patient_id is not None:
            patient = await self._render.patient(document.patient_id, document.site_id)
        page = self._render.page(
            "received.html",
            status=409 if refusal else 200,
            document=document,
            summary=summary,
            header=read_header(cda),
            reading=reading,
            sections=[_Shown.of(one) for one in reading.sections],
            patient=patient,
            candidates=candidates,
            proof=request.headers.get(FORM_PROOF_HEADER, ""),
            refusal=refusal,
            said=said,
            reason=label_of(document.reason),
            label_of=label_of,
        )
        page.headers["Content-Security-Policy"] = _WITH_IMAGES
        return page

    async def act(self, request: Request, caller: Principal, document_id: str, act: str) -> Response:
        """A form of the page of a document: 303 back to it, 409 with the reason."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
            raise ProblemError(415, "content-type-refused", "Un formulaire est attendu à cette adresse.")
        fields = {name: str(value) for name, value in (await request.form()).items()}
        work, given = _work(act, fields)
        await self._cabinet.open(caller, document_id, f"received.{act}")
        try:
            await self._service.transact(work, self._reception, document_id=document_id, by=caller.subject, **given)
        except Forbidden as refused:
            return await self.document(request, caller, document_id, refusal=label_of(refused.rule))
        return RedirectResponse(f"/pages/received/{document_id}", status.HTTP_303_SEE_OTHER)

    async def _candidates(self, caller: Principal, opened: Opened) -> list[Candidate]:
        document, summary = opened
        if document.standing is not Standing.TO_FILE:
            return []
        return await self._service.transact(
            propose_patients, self._reception, document=document, summary=summary, by=caller.subject
        )


def _work(act: str, fields: dict[str, str]) -> tuple[Work, dict[str, object]]:
    if act == "file" and fields.get("patient_id"):
        return file_document, {"patient_id": fields["patient_id"]}
    if act == "set-aside":
        return set_document_aside, {}
    if act == "news" and fields.get("accept") in ("true", "false"):
        return decide_news, {"accepted": fields["accept"] == "true"}
    raise ProblemError.not_found()
