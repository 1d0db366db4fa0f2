"""Received reports: what waits and why, what one says, replaying it or setting it aside, and submitting by REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, status
from navette_chassis import Service
from navette_chassis.problem import FieldProblem, ProblemError
from pymongo.errors import DuplicateKeyError

from navette_report.adapters import documents
from navette_report.adapters.intake_messages import MessageState
from navette_report.api.access import CareTeam, visible_report
from navette_report.api.intake_access import Handler, listed_messages, visible_message
from navette_report.api.intake_schemas import (
    REFUSALS,
    FullMessageAnswer,
    MessageAnswer,
    MessagesAnswer,
    Replay,
    SubmissionAnswer,
    refusal_label,
)
from navette_report.api.listing import AfterId, next_link
from navette_report.domain.intake.submitted import SubmittedReport
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.integrate_report_message import IntakeDesk
from navette_report.use_cases.read_report_message import read_report_message
from navette_report.use_cases.replay_report_message import replay_report_message, set_message_aside
from navette_report.use_cases.submit_report import KEY_REUSED, Submission, submit_report

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
        request: Request,
        caller: Handler,
        state: Annotated[list[MessageState] | None, Query()] = None,
        after: AfterId = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> MessagesAnswer:
        """By default those that ask something of somebody; of the caller's sites, or all for those who keep links."""
        found, more = await listed_messages(service, caller, state, after=after, limit=limit)
        return MessagesAnswer(messages=[MessageAnswer.of(row) for row in found], next=next_link(request, more))

    @router.get("/intake/messages/{message_id}")
    async def read_one(caller: CareTeam, message_id: str) -> FullMessageAnswer:
        """What the message says: for the care team of its site only, on record."""
        row = await visible_message(service, caller, message_id, "intake.read", content=True)
        return FullMessageAnswer.opened(row, await service.transact(read_report_message, desk, row))

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
        row = await visible_message(service, caller, message_id, "intake.replay")
        into = None if body is None else body.report_id
        try:
            done = await service.transact(replay_report_message, desk, row=row, by=caller.subject, into=into)
        except Forbidden as refused:
            raise _conflict(refused.rule) from None
        soon()
        return MessageAnswer.of(done)

    @router.post("/intake/messages/{message_id}/set-aside")
    async def set_aside(caller: Handler, message_id: str) -> MessageAnswer:
        row = await visible_message(service, caller, message_id, "intake.set_aside")
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


def _conflict(rule: str) -> ProblemError:
    return ProblemError.conflict(rule.replace("_", "-"), refusal_label(rule))
