"""Record that the patient was told the result: it may be shown and sent to the patient (RIS.CRR.03)."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import ReportAnnounced

from navette_report.adapters.reports import ReportRepository
from navette_report.domain.acts import announce
from navette_report.domain.report import Report


async def announce_report(uow: UnitOfWork, *, report: Report, actor: str) -> Report:
    """Record the announcement and promise `report.announced`. Raises Forbidden with the rule."""
    announced = announce(report, by=actor, at=uow.now)
    version = announced.validated
    if version is None:
        raise ValueError("not validated")
    saved = await ReportRepository(uow).save(announced.with_current(version, sequence=report.sequence + 1))
    event = ReportAnnounced(report_id=saved.report_id, version=version.number, announced_by=actor, announced_at=uow.now)
    await uow.emit(event, subject=saved.report_id, sequence=saved.sequence)
    await uow.record_access(actor, "report.announce", "report", saved.report_id, saved.site_id, "granted")
    return saved
