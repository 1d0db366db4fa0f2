"""Documents of others: brought, listed, opened, filed, and what their source says of them (CDA/*, MSS/UX.07, .09)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.problem import FieldProblem, ProblemError
from pymongo.errors import DuplicateKeyError

from navette_report.adapters.received_documents import MOST, Part
from navette_report.adapters.sender_style import HEADERS, StyleUnusableError, with_sender_style
from navette_report.api.access import Caller, CareTeam
from navette_report.api.field_rules import invalid
from navette_report.api.listing import AfterId, next_link
from navette_report.api.received_access import SOURCES, Bringer, Cabinet, Opened, conflict
from navette_report.api.received_schemas import (
    Brought,
    Filing,
    NewsDecision,
    Order,
    ReceivedAnswer,
    ReceivedList,
    TellingAnswer,
    Told,
)
from navette_report.domain.intake.claims import Unfit
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.received.model import Origin, Received, Standing, read_document, summary_of
from navette_report.domain.received.narrative import read_body
from navette_report.domain.received.reasons import label_of
from navette_report.use_cases.receive_document import Arrival, ReceptionDesk, Taken, receive_document
from navette_report.use_cases.settle_document import decide_news, file_document, hear_news, set_document_aside

_DOWNLOAD = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def received_routes(service: Service, desk: ReceptionDesk) -> APIRouter:
    """`/received-documents` and what is below."""
    router = APIRouter(prefix="/received-documents", tags=["received"])
    cabinet = Cabinet(service, desk)
    _bring(router, service, desk)
    _read(router, cabinet)
    _content(router, cabinet)
    _decide(router, service, desk, cabinet)
    return router


def _bring(router: APIRouter, service: Service, desk: ReceptionDesk) -> None:
    @router.post("", status_code=status.HTTP_201_CREATED)
    async def bring(caller: Bringer, body: Brought, response: Response) -> ReceivedAnswer:
        """201: filed; 202: kept, to be filed; 200: it was here already."""
        arrival = _arrival(caller, desk, body)
        taken = await _taken(service, desk, arrival)
        if taken.known:
            response.status_code = status.HTTP_200_OK
        elif taken.document.standing is Standing.TO_FILE:
            response.status_code = status.HTTP_202_ACCEPTED
        return ReceivedAnswer.of(taken.document, summary_of(read_document(arrival.cda)), known=taken.known)

    @router.post("/news")
    async def tell(caller: Caller, body: Told) -> TellingAnswer:
        _source(caller)
        said = {"site_id": body.site_id, "unique_id": body.unique_id, "news": body.news}
        heard = await service.transact(hear_news, desk, by=caller.subject, **said)
        return TellingAnswer(known=heard)


def _arrival(caller: Principal, desk: ReceptionDesk, body: Brought) -> Arrival:
    caller.require_site(body.site_id)
    if body.site_id not in desk.sites:
        raise invalid("site_id", "unknown_site")
    person = caller.kind == "user"
    if not person:
        _source(caller)
    if person and body.origin is not Origin.FILE:
        raise invalid("origin", "file_when_brought_by_a_person")
    if body.patient_id is None and body.origin is not Origin.MSS:
        raise invalid("patient_id", "required")
    return Arrival(
        site_id=body.site_id,
        origin=body.origin,
        by=caller.subject,
        cda=_bytes("cda", body.cda),
        style=_bytes("stylesheet", body.stylesheet),
        patient_id=body.patient_id,
        by_person=person,
        hidden_from=tuple(body.hidden_from),
    )


def _source(caller: Principal) -> None:
    if caller.subject not in SOURCES:
        raise ProblemError.forbidden("Ce service n’apporte pas de documents.")


def _bytes(field: str, text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise invalid(field, "not_base64") from None


async def _taken(service: Service, desk: ReceptionDesk, arrival: Arrival) -> Taken:
    try:
        try:
            return await service.transact(receive_document, desk, arrival)
        except DuplicateKeyError:  # the same one at the same moment: the second sees the first
            return await service.transact(receive_document, desk, arrival)
    except Unfit as unfit:
        raise ProblemError.invalid(
            *(FieldProblem("cda", one) for one in unfit.remarks), detail=label_of(unfit.reason)
        ) from None
    except Forbidden as refused:
        raise conflict(refused.rule) from None


def _read(router: APIRouter, cabinet: Cabinet) -> None:
    @router.get("")
    async def of_patient(caller: CareTeam, patient_id: str, order: Order = Order.TYPE) -> ReceivedList:
        found = await cabinet.of_patient(caller, patient_id, order)
        return ReceivedList(documents=[ReceivedAnswer.of(*one) for one in found], complete=len(found) < MOST)

    @router.get("/to-file")
    async def to_file(
        request: Request,
        caller: CareTeam,
        after: AfterId = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> ReceivedList:
        found, more = await cabinet.to_file(caller, after=after, limit=limit)
        documents = [ReceivedAnswer.of(*one) for one in found]
        return ReceivedList(documents=documents, complete=more is None, next=next_link(request, more))

    @router.get("/{document_id}")
    async def one(caller: CareTeam, document_id: str) -> ReceivedAnswer:
        return ReceivedAnswer.of(*await cabinet.open(caller, document_id, "received.read"))


def _content(router: APIRouter, cabinet: Cabinet) -> None:
    @router.get("/{document_id}/{part}", response_class=Response)
    async def part_of(caller: CareTeam, document_id: str, part: Part) -> Response:
        """The CDA or its style sheet, byte for byte."""
        await cabinet.open(caller, document_id, f"received.{part}")
        content = await cabinet.reader.content(document_id, part)
        if not content:
            raise ProblemError.not_found("Ce document est arrivé sans feuille de style.")
        name = "document.xml" if part is Part.CDA else "document.xsl"
        return Response(content, media_type="text/xml", headers=_DOWNLOAD | _attachment(name))

    @router.get("/{document_id}/parts/{number}", response_class=Response)
    async def attached(caller: CareTeam, document_id: str, number: int) -> Response:
        """A file inside the document."""
        await cabinet.open(caller, document_id, "received.read")
        cda = await cabinet.reader.content(document_id, Part.CDA)
        found = (await asyncio.to_thread(read_body, cda, parts="")).attachments
        if not 0 <= number < len(found):
            raise ProblemError.not_found()
        one = found[number]
        if one.is_pdf:
            # A PDF is shown by the browser; whatever else it is, it is kept and not run.
            shown = {"Content-Disposition": f'inline; filename="piece-{number}.pdf"'}
            return Response(one.content, media_type="application/pdf", headers=_DOWNLOAD | shown)
        return Response(
            one.content, media_type="application/octet-stream", headers=_DOWNLOAD | _attachment(f"piece-{number}.bin")
        )

    @router.get("/{document_id}/sender/presentation", response_class=Response)
    async def presentation(caller: CareTeam, document_id: str) -> Response:
        """The document as its sender's style sheet shows it."""
        await cabinet.open(caller, document_id, "received.read")
        style = await cabinet.reader.content(document_id, Part.STYLE)
        if not style:
            raise ProblemError.not_found("Ce document est arrivé sans feuille de style.")
        try:
            made = await with_sender_style(await cabinet.reader.content(document_id, Part.CDA), style)
        except StyleUnusableError:
            raise ProblemError(
                502,
                "style-unusable",
                "La feuille de style de l’émetteur est inutilisable : lire le document dans la présentation d’ici.",
            ) from None
        return Response(made, media_type="text/html; charset=utf-8", headers=HEADERS)


def _decide(router: APIRouter, service: Service, desk: ReceptionDesk, cabinet: Cabinet) -> None:
    async def done(
        caller: Principal, document_id: str, action: str, work: Callable[..., Awaitable[Received]], **given: object
    ) -> ReceivedAnswer:
        found: Opened = await cabinet.open(caller, document_id, action)
        try:
            changed = await service.transact(work, desk, document_id=document_id, by=caller.subject, **given)
        except Forbidden as refused:
            raise conflict(refused.rule) from None
        return ReceivedAnswer.of(changed, found[1])

    @router.post("/{document_id}/file")
    async def file(caller: CareTeam, document_id: str, body: Filing) -> ReceivedAnswer:
        return await done(caller, document_id, "received.file", file_document, patient_id=body.patient_id)

    @router.post("/{document_id}/set-aside")
    async def set_aside(caller: CareTeam, document_id: str) -> ReceivedAnswer:
        return await done(caller, document_id, "received.set_aside", set_document_aside)

    @router.post("/{document_id}/news")
    async def news(caller: CareTeam, document_id: str, body: NewsDecision) -> ReceivedAnswer:
        return await done(caller, document_id, "received.decide", decide_news, accepted=body.accept)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
