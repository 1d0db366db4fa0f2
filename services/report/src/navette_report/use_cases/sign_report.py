"""Validate a report: the act from which everything else follows."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import Recipient, RecipientRole, ReportSigned, WhoMustAct

from navette_report.adapters.intake_messages import close_reviews
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.acts import validate
from navette_report.domain.audience import verdict
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.content import ReportContent
from navette_report.domain.journey import (
    DMP_RECIPIENT,
    PATIENT_RECIPIENT,
    Channel,
    Fact,
    JourneyLine,
    LineState,
    fact_of,
    open_line,
    party_of,
)
from navette_report.domain.report import Report, Signatory, Signature
from navette_report.use_cases.tell_lines import stop_waiting_lines


async def sign_report(
    uow: UnitOfWork, *, report: Report, signatory: Signatory, choices: SignatureChoices, signer: str
) -> Report:
    """Sign the current version and promise `report.signed`. Raises Forbidden with the rule."""
    signature = Signature(signatory=signatory, signed_at=uow.now, choices=choices)
    former = report.validated
    signed = validate(report, signature)
    version = signed.current
    signed = await ReportRepository(uow).save(signed.with_current(version, sequence=report.sequence + 1))
    journeys = JourneyRepository(uow)
    if former is not None:
        await stop_waiting_lines(uow, signed.report_id, former.number, "superseded")
    for line in _lines(signed):
        await journeys.put(line)
    if version.origin is not None:
        await close_reviews(uow, site_id=signed.site_id, report_id=signed.report_id)
    event = ReportSigned(
        report_id=signed.report_id,
        version=version.number,
        patient_id=signed.patient_id,
        site_id=signed.site_id,
        signed_by_rpps=signatory.rpps,
        signed_at=signature.signed_at,
        visibility=choices.visibility,
        announcement_needed=choices.announcement_needed,
        withheld_from_dmp=choices.withheld_from_dmp,
        withheld_from_patient=choices.withheld_from_patient,
        recipients=recipients_of(version.content),
        replaces_version=None if former is None else former.number,
    )
    await uow.emit(event, subject=signed.report_id, sequence=signed.sequence)
    await uow.record_access(signer, "report.sign", "report", signed.report_id, signed.site_id, "granted")
    return signed


def recipients_of(content: ReportContent) -> tuple[Recipient, ...]:
    """Everyone a report goes to by MSSanté: its correspondents, and the patient under a fixed id."""
    professionals = tuple(
        Recipient(recipient_id=one.recipient_id, role=one.role, rpps=one.rpps, finess=one.finess)
        for one in content.correspondents
    )
    return (*professionals, Recipient(recipient_id=PATIENT_RECIPIENT, role=RecipientRole.PATIENT))


def _lines(report: Report) -> list[JourneyLine]:
    """The lines of a version just signed: decided ones cancelled, all others waiting for the document."""
    version, names = report.current, {c.recipient_id: c.display_name for c in report.current.content.correspondents}
    targets = [(Channel.DMP, DMP_RECIPIENT, RecipientRole.OTHER)]
    targets += [(Channel.MSS, one.recipient_id, one.role) for one in recipients_of(version.content)]
    lines = []
    for channel, recipient_id, role in targets:
        fact = _first_fact(report, channel, role)
        lines.append(
            open_line(
                report.report_id,
                version.number,
                channel,
                recipient_id,
                role,
                fact,
                label=names.get(recipient_id),
            )
        )
    return lines


def _first_fact(report: Report, channel: Channel, role: RecipientRole) -> Fact:
    signature = report.current.signature
    if signature is None:
        raise ValueError("unsigned")
    said = verdict(party_of(channel, role), signature.choices, qualified=True)
    if said.final:
        return fact_of(said, signature.signed_at)
    return Fact(
        state=LineState.WAITING,
        at=signature.signed_at,
        reason="document_in_preparation",
        who_must_act=WhoMustAct.NOBODY,
    )
