"""What happens to a draft before validation, and the draft of a next version."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_report.adapters.reports import ReportRepository
from navette_report.domain import acts
from navette_report.domain.content import ReportContent
from navette_report.domain.report import Report


async def edit_draft(uow: UnitOfWork, *, report: Report, content: ReportContent, actor: str) -> Report:
    """Other content; co-readers are asked again. Raises Forbidden with the rule."""
    return await _keep(uow, acts.edit_draft(report, content), actor, "report.edit")


async def choose(uow: UnitOfWork, *, report: Report, changes: dict[str, bool], actor: str) -> Report:
    """Flag the document before validation (RIS.CRR.02, RIS.DMP.03). Raises Forbidden with the rule."""
    return await _keep(uow, acts.choose(report, changes, by=actor, at=uow.now), actor, "report.choose")


async def propose(
    uow: UnitOfWork, *, report: Report, co_readers: tuple[str, ...], rpps: str, take_over: bool, actor: str
) -> Report:
    """Make it provisional, or change whose agreement it waits for (RIS.CRR.04). Raises Forbidden with the rule."""
    proposed = acts.propose(report, co_readers, by_rpps=rpps, at=uow.now, take_over=take_over)
    anothers = report.current.proposed_by not in (None, rpps)
    return await _keep(uow, proposed, actor, "report.take_over" if anothers else "report.propose")


async def agree(uow: UnitOfWork, *, report: Report, rpps: str, actor: str) -> Report:
    """A co-reader agrees. Raises Forbidden with the rule."""
    return await _keep(uow, acts.agree(report, rpps=rpps, at=uow.now), actor, "report.agree")


async def start_replacement(
    uow: UnitOfWork, *, report: Report, built_on: int, content: ReportContent, actor: str
) -> Report:
    """Open the draft of the next version (RIS.DMP.02). Raises Forbidden with the rule."""
    started = acts.start_replacement(report, built_on=built_on, content=content)
    return await _keep(uow, started, actor, "report.replace")


async def abandon_replacement(uow: UnitOfWork, *, report: Report, actor: str) -> Report:
    """Throw the draft of the next version away. Raises Forbidden with the rule."""
    return await _keep(uow, acts.abandon_replacement(report), actor, "report.abandon")


async def _keep(uow: UnitOfWork, report: Report, actor: str, action: str) -> Report:
    saved = await ReportRepository(uow).save(report)
    await uow.record_access(actor, action, "report", saved.report_id, saved.site_id, "granted")
    return saved
