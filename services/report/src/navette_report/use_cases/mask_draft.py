"""Hide in a draft what a received message hides: more than stands, never less (RIS.DMP.06)."""

from __future__ import annotations

from datetime import datetime

from navette_chassis import UnitOfWork

from navette_report.adapters.intake_documents import DocumentBook
from navette_report.adapters.intake_messages import Tokens
from navette_report.adapters.patient_keys import PatientKeys
from navette_report.adapters.reports import ReportRepository
from navette_report.domain import acts
from navette_report.domain.intake.claims import ReceivedReport
from navette_report.domain.intake.senders import Source
from navette_report.domain.report import Report


def mask_draft(report: Report, received: ReceivedReport, *, by: str, at: datetime) -> Report:
    """The report with the masks of a message on its draft; what the message does not name stays as it is."""
    return acts.hide(report, dict(received.choices), by=by, at=at) if received.choices else report


async def mask_meanwhile(
    uow: UnitOfWork, received: ReceivedReport, *, source: Source, patient_id: str, tokens: Tokens, keys: PatientKeys
) -> None:
    """The message itself waits: the drafts it is about are masked all the same, for they may be signed before it goes.

    They are those of the documents it names, else those of its examination; of the same patient only.
    """
    reports = ReportRepository(uow)
    for found in await _about(uow, reports, received, source, tokens):
        if found.draft is None or await keys.surviving(found.patient_id) != patient_id:
            continue
        masked = mask_draft(found, received, by=source.actor, at=uow.now)
        if masked != found:
            await reports.save(masked)
            place = ("report", found.report_id, found.site_id)
            await uow.record_access(source.actor, "report.choose", *place, "granted")


async def _about(
    uow: UnitOfWork, reports: ReportRepository, received: ReceivedReport, source: Source, tokens: Tokens
) -> list[Report]:
    book, exam = DocumentBook(uow), received.exam
    names = filter(None, (received.document_id, received.replaces_id))
    known = [await book.find(tokens.document(source.site_id, source.name, name)) for name in names]
    ids = dict.fromkeys(one.report_id for one in known if one is not None)
    if ids:
        return [found for one in ids if (found := await reports.get(one)) is not None]
    return await reports.of_exam(
        source.site_id, accession_number=exam.accession_number, placer_number=exam.placer_number
    )
