"""What a kept message says, and the empty drafts it could be for: for the person who has to set it right."""

from __future__ import annotations

from dataclasses import dataclass

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_documents.hl7v2 import Hl7Error

from navette_report.adapters.reports import ReportRepository
from navette_report.domain.intake import cda
from navette_report.domain.intake.claims import ReceivedReport, Unfit
from navette_report.domain.report import Report
from navette_report.use_cases.integrate_report_message import IntakeDesk, aside, patient_of_message, read_message
from navette_report.use_cases.place_received_report import is_open_for_a_text


@dataclass(frozen=True, slots=True, repr=False)
class OpenedMessage:
    """A message as far as it can be read."""

    report: ReceivedReport | None = None
    unreadable: str | None = None
    """Code of the reason why it cannot."""
    drafts: tuple[Report, ...] = ()
    """Drafts of its patient at its site whose text nobody wrote yet."""


async def read_report_message(
    uow: UnitOfWork, desk: IntakeDesk, row: Document, *, with_drafts: bool = False
) -> OpenedMessage:
    """Open the content; `with_drafts`: look for the drafts too. Nothing is changed."""
    try:
        raw = await desk.rules.store(uow).content(row["_id"])
        report, source = await aside(raw, read_message, desk, row, raw)
        report = await aside(raw, cda.opened, report, zone=desk.zone)
    except Unfit as unfit:
        return OpenedMessage(unreadable=unfit.reason)
    except Hl7Error as error:
        return OpenedMessage(unreadable=error.rule)
    if not with_drafts:
        return OpenedMessage(report)
    try:
        patient_id = await patient_of_message(uow, desk, report, source)
    except Unfit:  # whose drafts they would have to be is not certain
        return OpenedMessage(report)
    drafts = await ReportRepository(uow).drafts_of(patient_id, source.site_id)
    return OpenedMessage(report, drafts=tuple(filter(is_open_for_a_text, drafts)))
