"""Received reports: what waits and why, what one says, replaying it or setting it aside, and submitting by REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_chassis.problem import FieldProblem, ProblemError
from navette_chassis.unit_of_work import Document
from navette_documents.hl7v2 import Hl7Error
from pymongo.errors import DuplicateKeyError

from navette_report.adapters import documents
from navette_report.adapters.intake_messages import HEADER_ONLY, MESSAGES, OPEN, MessageState
from navette_report.api.access import CareTeam, record, visible_report
from navette_report.api.intake_schemas import (
    REFUSALS,
    ClaimAnswer,
    FullMessageAnswer,
    MessageAnswer,
    MessagesAnswer,
    Replay,
    SubmissionAnswer,
)
from navette_report.domain.intake import cda
from navette_report.domain.intake.claims import Unfit
from navette_report.domain.intake.reasons import reason_label
from navette_report.domain.intake.submitted import SubmittedReport
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.integrate_report_message import IntakeDesk, read_message
from navette_report.use_cases.replay_report_message import replay_report_message, set_message_aside
from navette_report.use_cases.submit_report import KEY_REUSED, Submission, submit_report

KEEPERS = frozenset({"operator", "administrator"})
"""Those who look after the links: they see every message and no content."""
Handler = Annotated[Principal, require("secretary", "radiologist", "technologist", *sorted(KEEPERS))]
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{8,200}$")]
_ACCEPTED = {MessageState.WAITING.value, MessageState.RECEIVED.value}
_MEDIA = {"pdf": "application/pdf", "cda": "text/xml", "rtf": "application/rtf"}


def intake_routes(service: Service, desk: IntakeDesk, *, soon: Callable[[], None]) -> APIRouter:
    """Routes under /intake, and the document a report was received as."""
    router = APIRouter(tags=["intake"])
    _reading_routes(router, service, desk)
    _deciding_routes(router, service, desk, soon)
    _submission_route(router, service, desk)
    return router


def _reading_routes(router: APIRouter, service: Service, desk: IntakeDesk) -> None:
    @router.get("/intake/messages")
    async def list_messages(
        caller: Handler,
        state: Annotated[list[MessageState] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> MessagesAnswer:
        """By default those that ask something of somebody; of the caller's sites, or all for those who keep links."""
        query: Document = {"state": {"$in": [one.value for one in state or OPEN]}}
        if not KEEPERS & caller.roles:
            query["site_id"] = {"$in": sorted(caller.sites)}
        found = service.database[MESSAGES].find(query, HEADER_ONLY).sort("_id", -1).limit(limit)
        return MessagesAnswer(messages=[MessageAnswer.of(row) for row in await found.to_list()])

    @router.get("/intake/messages/{message_id}")
    async def read_one(caller: CareTeam, message_id: str) -> FullMessageAnswer:
        """What the message says: for the care team of its site only, on record."""
        row = await _visible(service, caller, message_id, "intake.read", content=True)
        return await service.transact(_opened, desk, row)

    @router.get("/reports/{report_id}/received", response_class=Response)
    async def read_original(caller: CareTeam, report_id: str) -> Response:
        """The document as the other system sent it, for the last version that has one."""
        report = await visible_report(service, caller, report_id, "document.read")
        origins = [one.origin for one in report.versions if one.origin is not None and one.origin.original]
        if not origins:
            raise ProblemError.not_found("Ce compte rendu n’a pas de document reçu.")
        content = await documents.read(service.database, origins[-1].message_id, documents.Form.RECEIVED)
        headers = {
            "Content-Disposition": f'attachment; filename="document-recu.{origins[-1].form}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(content, media_type=_MEDIA[origins[-1].form], headers=headers)


def _deciding_routes(router: APIRouter, service: Service, desk: IntakeDesk, soon: Callable[[], None]) -> None:
    @router.post("/intake/messages/{message_id}/replay")
    async def replay(caller: Handler, message_id: str, body: Replay | None = None) -> MessageAnswer:
        row = await _visible(service, caller, message_id, "intake.replay")
        into = None if body is None else body.report_id
        try:
            done = await service.transact(replay_report_message, desk, row=row, by=caller.subject, into=into)
        except Forbidden as refused:
            raise _conflict(refused.rule) from None
        soon()
        return MessageAnswer.of(done)

    @router.post("/intake/messages/{message_id}/set-aside")
    async def set_aside(caller: Handler, message_id: str) -> MessageAnswer:
        row = await _visible(service, caller, message_id, "intake.set_aside")
        try:
            done = await service.transact(set_message_aside, desk, row=row, by=caller.subject)
        except Forbidden as refused:
            raise _conflict(refused.rule) from None
        soon()
        return MessageAnswer.of(done)


def _submission_route(router: APIRouter, service: Service, desk: IntakeDesk) -> None:
    @router.post("/intake/reports", status_code=status.HTTP_201_CREATED)
    async def submit(
        caller: CareTeam, body: SubmittedReport, idempotency_key: IdempotencyKey, response: Response
    ) -> SubmissionAnswer:
        """201: a draft waits for its signature; 202: kept, and somebody must act first."""
        caller.require_site(body.site_id)
        if body.site_id not in desk.sites:
            raise ProblemError.invalid(FieldProblem("site_id", "unknown_site"))
        submission = Submission(body, idempotency_key, caller.subject)
        try:
            try:
                answer = await service.transact(submit_report, desk, submission)
            except DuplicateKeyError:  # the same one at the same moment: the second sees the first
                answer = await service.transact(submit_report, desk, submission)
        except Forbidden as refused:
            if refused.rule != KEY_REUSED:
                raise
            raise ProblemError.invalid(
                FieldProblem("Idempotency-Key", "other_body"), detail=REFUSALS[KEY_REUSED]
            ) from None
        if answer["state"] in _ACCEPTED:
            response.status_code = status.HTTP_202_ACCEPTED
        return SubmissionAnswer.of(answer)


async def _visible(
    service: Service, caller: Principal, message_id: str, action: str, *, content: bool = False
) -> Document:
    """The message, if the caller may handle it: of one of their sites, or any for those who keep the links."""
    row = await service.database[MESSAGES].find_one({"_id": message_id}, HEADER_ONLY)
    if row is None:
        raise ProblemError.not_found()
    site_id = row["site_id"]
    keeps = bool(KEEPERS & caller.roles) and not content
    allowed = keeps or (site_id is not None and caller.may_act_for(site_id))
    if content or not allowed:
        await record(service, caller, action, "message", message_id, site_id, granted=allowed)
    if not allowed:
        raise ProblemError.not_found()
    return row


async def _opened(uow: UnitOfWork, desk: IntakeDesk, row: Document) -> FullMessageAnswer:
    shown = MessageAnswer.of(row).model_dump()
    try:
        report, _source = read_message(desk, row, await desk.rules.store(uow).content(row["_id"]))
        report = cda.opened(report, zone=desk.zone)
    except Unfit as unfit:
        return FullMessageAnswer(**shown, unreadable_because=reason_label(unfit.reason))
    except Hl7Error as error:
        return FullMessageAnswer(**shown, unreadable_because=reason_label(error.rule))
    return FullMessageAnswer(**shown, claim=ClaimAnswer.of(report))


def _conflict(rule: str) -> ProblemError:
    return ProblemError.conflict(rule.replace("_", "-"), REFUSALS.get(rule) or reason_label(rule))
