"""Acts on a report: flag, propose, agree, sign, announce, replace, withdraw. Each is one explicit request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal
from navette_chassis.problem import ProblemError
from navette_documents.identifiers import parse_rpps
from pydantic import AfterValidator, Field

from navette_report.adapters.reports import ReportRepository
from navette_report.api import french
from navette_report.api.access import CareTeam, Radiologist, record
from navette_report.api.schemas import ReportAnswer
from navette_report.domain.choices import SignatureChoices, standing
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Line, Strict
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report
from navette_report.domain.signatory import signatory_of
from navette_report.use_cases import write_draft
from navette_report.use_cases.announce_report import announce_report
from navette_report.use_cases.send_to_platforms import Outputs
from navette_report.use_cases.sign_report import sign_report
from navette_report.use_cases.withdraw_report import withdraw_report

Work = Callable[[UnitOfWork, Report], Awaitable[Report]]


class CoReaders(Strict):
    """The radiologists who must agree, by RPPS."""

    co_readers: Annotated[tuple[Annotated[str, AfterValidator(parse_rpps)], ...], Field(min_length=1, max_length=10)]


class Replacement(Strict):
    """The text of the next version, and the version its author had before their eyes."""

    built_on: Annotated[int, Field(ge=1)]
    content: ReportContent


class WithdrawalReason(Strict):
    """Why; kept sealed, told to nobody outside."""

    reason: Line | None = None


def act_routes(service: Service, outputs: Outputs) -> APIRouter:
    """Routes that change a report, under /reports/{report_id}."""
    router = APIRouter(prefix="/reports/{report_id}", tags=["acts"])
    _draft_routes(router, service)
    _replacement_routes(router, service)
    _validation_routes(router, service, outputs)
    return router


def _draft_routes(router: APIRouter, service: Service) -> None:
    @router.put("/content")
    async def edit(caller: CareTeam, report_id: str, body: ReportContent) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await write_draft.edit_draft(uow, report=report, content=body, actor=caller.subject)

        return await _act(service, caller, report_id, "report.edit", work)

    @router.post("/choices")
    async def choose(caller: CareTeam, report_id: str, body: SignatureChoices) -> ReportAnswer:
        changes = {name: getattr(body, name) for name in body.model_fields_set}

        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await write_draft.choose(uow, report=report, changes=changes, actor=caller.subject)

        return await _act(service, caller, report_id, "report.choose", work)

    @router.post("/propose")
    async def propose(caller: Radiologist, report_id: str, body: CoReaders) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            rpps = signatory_of(caller.rpps, caller.name).rpps
            return await write_draft.propose(
                uow, report=report, co_readers=body.co_readers, rpps=rpps, actor=caller.subject
            )

        return await _act(service, caller, report_id, "report.propose", work)

    @router.post("/agree")
    async def agree(caller: Radiologist, report_id: str) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            rpps = signatory_of(caller.rpps, caller.name).rpps
            return await write_draft.agree(uow, report=report, rpps=rpps, actor=caller.subject)

        return await _act(service, caller, report_id, "report.agree", work)


def _replacement_routes(router: APIRouter, service: Service) -> None:
    @router.post("/replace", status_code=status.HTTP_201_CREATED)
    async def replace(caller: Radiologist, report_id: str, body: Replacement) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await write_draft.start_replacement(
                uow, report=report, built_on=body.built_on, content=body.content, actor=caller.subject
            )

        return await _act(service, caller, report_id, "report.replace", work)

    @router.post("/abandon")
    async def abandon(caller: Radiologist, report_id: str) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await write_draft.abandon_replacement(uow, report=report, actor=caller.subject)

        return await _act(service, caller, report_id, "report.abandon", work)


def _validation_routes(router: APIRouter, service: Service, outputs: Outputs) -> None:
    @router.post("/sign")
    async def sign(caller: Radiologist, report_id: str, body: SignatureChoices) -> ReportAnswer:
        asked = {name: getattr(body, name) for name in body.model_fields_set}

        async def work(uow: UnitOfWork, report: Report) -> Report:
            # What was flagged before stands unless the radiologist says otherwise inside this act.
            choices = standing(report.current.choices).model_copy(update=asked)
            signatory = signatory_of(caller.rpps, caller.name)
            return await sign_report(uow, report=report, signatory=signatory, choices=choices, signer=caller.subject)

        return await _act(service, caller, report_id, "report.sign", work)

    @router.post("/announce")
    async def announce(caller: Radiologist, report_id: str) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await announce_report(uow, report=report, actor=caller.subject)

        return await _act(service, caller, report_id, "report.announce", work)

    @router.post("/withdraw")
    async def withdraw(caller: Radiologist, report_id: str, body: WithdrawalReason) -> ReportAnswer:
        async def work(uow: UnitOfWork, report: Report) -> Report:
            return await withdraw_report(
                uow,
                report=report,
                by_rpps=signatory_of(caller.rpps, caller.name).rpps,
                actor=caller.subject,
                reason=body.reason,
                keyring=service.keyring,
                outputs=outputs,
            )

        return await _act(service, caller, report_id, "report.withdraw", work)


async def _act(service: Service, caller: Principal, report_id: str, action: str, work: Work) -> ReportAnswer:
    """One act in one transaction: 404 for an unknown report, 403 for another site's (recorded), 409 with the rule."""

    async def in_transaction(uow: UnitOfWork) -> Report:
        report = await ReportRepository(uow).get(report_id)
        if report is None:
            raise ProblemError.not_found()
        caller.require_site(report.site_id)
        return await work(uow, report)

    try:
        return ReportAnswer.of(await service.transact(in_transaction))
    except Forbidden as forbidden:
        raise ProblemError.conflict(forbidden.rule.replace("_", "-"), french.rule(forbidden.rule)) from None
    except ProblemError as problem:
        if problem.status == status.HTTP_403_FORBIDDEN:
            await record(service, caller, action, "report", report_id, None, granted=False)
        raise
