"""Write a draft."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_report.adapters.reports import ReportRepository
from navette_report.domain.content import ReportContent
from navette_report.domain.report import Report, State, Version


async def draft_report(
    uow: UnitOfWork, *, patient_id: str, site_id: str, content: ReportContent, author: str
) -> Report:
    """Store a new draft. The patient may not be known yet: identities arrive by their own way."""
    report = Report(
        report_id=uuid7(),
        patient_id=patient_id,
        site_id=site_id,
        created_at=uow.now,
        updated_at=uow.now,
        versions=(Version(number=1, state=State.DRAFT, content=content),),
    )
    await ReportRepository(uow).add(report)
    await uow.record_access(author, "report.draft", "report", report.report_id, site_id, "granted")
    return report
