"""Acts on a report: flag, propose, agree, sign, announce, replace, withdraw. Each is one explicit request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, status
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.problem import ProblemError
from navette_documents.identifiers import parse_rpps
from pydantic import AfterValidator, Field

from navette_report.api import french, works
from navette_report.api.access import CareTeam, Radiologist
from navette_report.api.schemas import ReportAnswer
from navette_report.api.unchanged import CHANGED, IfMatch, Precondition
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Line, Strict
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.compose_report import Desk


class CoReaders(Strict):
    """The radiologists who must agree, by RPPS."""

    co_readers: Annotated[tuple[Annotated[str, AfterValidator(parse_rpps)], ...], Field(min_length=1, max_length=10)]
    take_over: bool = False
    """Another radiologist asked for agreement before: decide in their place, on record."""


class Replacement(Strict):
    """The text of the next version, and the version its author had before their eyes."""

    built_on: Annotated[int, Field(ge=1)]
    content: ReportContent


class WithdrawalReason(Strict):
    """Why; kept sealed, told to nobody outside."""

    reason: Line | None = None


def act_routes(service: Service, desk: Desk) -> APIRouter:
    """Routes that change a report, under /reports/{report_id}."""
    router = APIRouter(prefix="/reports/{report_id}", tags=["acts"])
    _draft_routes(router, service, desk)
    _version_routes(router, service, desk)
    return router


def _draft_routes(router: APIRouter, service: Service, desk: Desk) -> None:
    @router.put("/content")
    async def edit(caller: CareTeam, seen: IfMatch, report_id: str, body: ReportContent) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.editing(caller, body))

    @router.post("/choices")
    async def choose(caller: CareTeam, seen: IfMatch, report_id: str, body: SignatureChoices) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.choosing(caller, desk, _said(body)))

    @router.post("/propose")
    async def propose(caller: Radiologist, seen: IfMatch, report_id: str, body: CoReaders) -> ReportAnswer:
        return await _act(
            service, caller, seen, report_id, works.proposing(caller, body.co_readers, take_over=body.take_over)
        )

    @router.post("/agree")
    async def agree(caller: Radiologist, seen: IfMatch, report_id: str) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.agreeing(caller))

    @router.post("/abandon")
    async def abandon(caller: Radiologist, seen: IfMatch, report_id: str) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.abandoning(caller))


def _version_routes(router: APIRouter, service: Service, desk: Desk) -> None:
    @router.post("/replace", status_code=status.HTTP_201_CREATED)
    async def replace(caller: Radiologist, seen: IfMatch, report_id: str, body: Replacement) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.replacing(caller, body.built_on, body.content))

    @router.post("/sign")
    async def sign(caller: Radiologist, seen: IfMatch, report_id: str, body: SignatureChoices) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.signing(caller, desk, _said(body)))

    @router.post("/announce")
    async def announce(caller: Radiologist, seen: IfMatch, report_id: str) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.announcing(caller))

    @router.post("/withdraw")
    async def withdraw(caller: Radiologist, seen: IfMatch, report_id: str, body: WithdrawalReason) -> ReportAnswer:
        return await _act(service, caller, seen, report_id, works.withdrawing(caller, desk, body.reason))


def _said(choices: SignatureChoices) -> dict[str, bool]:
    """The choices the request names; what it does not name stays as it is."""
    return {name: getattr(choices, name) for name in choices.model_fields_set}


async def _act(
    service: Service, caller: Principal, seen: Precondition, report_id: str, work: works.Work
) -> ReportAnswer:
    """The report after the act; 412 when it is not what the caller read, 409 with the rule when it is not allowed."""
    try:
        report = await works.perform(service, caller, report_id, seen.guard(work))
    except Forbidden as forbidden:
        code, said = forbidden.rule.replace("_", "-"), french.rule(forbidden.rule)
        raise ProblemError(412 if forbidden.rule == CHANGED else 409, code, said) from None
    seen.tag(report)
    return ReportAnswer.of(report)
