"""The acts of a person on a report, ready to run in one transaction: what the API and the pages share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal
from navette_chassis.problem import OutOfSightError, ProblemError

from navette_report.adapters.reports import ReportRepository
from navette_report.api.access import record
from navette_report.domain.acts import wanted_choices
from navette_report.domain.content import ReportContent
from navette_report.domain.report import Report
from navette_report.domain.signatory import signatory_of, specialty_of
from navette_report.use_cases import write_draft
from navette_report.use_cases.announce_report import announce_report
from navette_report.use_cases.check_validation import check_secrecy, check_validation
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.recompose_report import recompose_report
from navette_report.use_cases.sign_report import sign_report
from navette_report.use_cases.withdraw_report import withdraw_report

Run = Callable[[UnitOfWork, Report], Awaitable[Report]]


@dataclass(frozen=True, slots=True)
class Work:
    """One act: its name in the audit stream, and what it does."""

    action: str
    run: Run


async def perform(service: Service, caller: Principal, report_id: str, work: Work) -> Report:
    """One act in one transaction: 404 for an unknown report and for another site's (recorded).

    Raises Forbidden with the rule it breaks.
    """

    async def in_transaction(uow: UnitOfWork) -> Report:
        report = await ReportRepository(uow).get(report_id)
        if report is None:
            raise ProblemError.not_found()
        caller.require_sight(report.site_id)
        return await work.run(uow, report)

    try:
        return await service.transact(in_transaction)
    except OutOfSightError:
        await record(service, caller, work.action, "report", report_id, None, granted=False)
        raise


def editing(caller: Principal, content: ReportContent) -> Work:
    """Other content for the draft."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await write_draft.edit_draft(uow, report=report, content=content, actor=caller.subject)

    return Work("report.edit", run)


def choosing(caller: Principal, desk: Desk, changes: dict[str, bool]) -> Work:
    """Choices before validation, refused at once when they could not be signed."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        await check_secrecy(uow, desk, report=report, choices=wanted_choices(report, changes))
        return await write_draft.choose(uow, report=report, changes=changes, actor=caller.subject)

    return Work("report.choose", run)


def proposing(caller: Principal, co_readers: tuple[str, ...], *, take_over: bool) -> Work:
    """Several radiologists must agree."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        rpps = signatory_of(caller.rpps, caller.name).rpps
        return await write_draft.propose(
            uow, report=report, co_readers=co_readers, rpps=rpps, take_over=take_over, actor=caller.subject
        )

    return Work("report.propose", run)


def agreeing(caller: Principal) -> Work:
    """A co-reader agrees."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        rpps = signatory_of(caller.rpps, caller.name).rpps
        return await write_draft.agree(uow, report=report, rpps=rpps, actor=caller.subject)

    return Work("report.agree", run)


def replacing(caller: Principal, built_on: int, content: ReportContent) -> Work:
    """Open the draft of the next version."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await write_draft.start_replacement(
            uow, report=report, built_on=built_on, content=content, actor=caller.subject
        )

    return Work("report.replace", run)


def abandoning(caller: Principal) -> Work:
    """Throw that draft away."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await write_draft.abandon_replacement(uow, report=report, actor=caller.subject)

    return Work("report.abandon", run)


def signing(caller: Principal, desk: Desk, asked: dict[str, bool]) -> Work:
    """Validate with these choices; what was flagged before stands unless it is said otherwise inside this act."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        choices = wanted_choices(report, asked)
        await check_validation(uow, desk, report=report, choices=choices)
        site = desk.sites.get(report.site_id)
        specialty = None if site is None else specialty_of(caller.skills, usual=site.radiologist_specialty)
        signatory = signatory_of(caller.rpps, caller.name, specialty=specialty)
        return await sign_report(uow, report=report, signatory=signatory, choices=choices, signer=caller.subject)

    return Work("report.sign", run)


def announcing(caller: Principal) -> Work:
    """The patient was told."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await announce_report(uow, report=report, actor=caller.subject)

    return Work("report.announce", run)


def withdrawing(caller: Principal, desk: Desk, reason: str | None) -> Work:
    """Annul the report."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await withdraw_report(
            uow,
            report=report,
            by_rpps=signatory_of(caller.rpps, caller.name).rpps,
            actor=caller.subject,
            reason=reason,
            keyring=desk.keyring(),
            outputs=desk.outputs,
        )

    return Work("report.withdraw", run)


def recomposing(caller: Principal, desk: Desk) -> Work:
    """Make a held document again."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        return await recompose_report(uow, desk, report=report, by=caller.subject)

    return Work("report.recompose", run)
