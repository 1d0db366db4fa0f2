"""Compose what is due for a report: make the documents, check them, store them, tell the other services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import Audience, DocumentReference, ReportComposed, ReportSigned, WhoMustAct
from navette_documents.sites import Site

from navette_report.adapters import documents
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.patients import KeyringSource, KnownPatient, PatientRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.adapters.workshop import Made, Workshop
from navette_report.domain.audience import audience, verdict
from navette_report.domain.document import DocumentModel, document_model
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.journey import Fact, LineState, fact_of, party_of
from navette_report.domain.report import (
    Act,
    Edition,
    EditionPlan,
    Finding,
    Report,
    Signature,
    State,
    plan_edition,
)
from navette_report.use_cases.sign_report import recipients_of


@dataclass(frozen=True, slots=True)
class Desk:
    """What composing needs besides the unit of work."""

    workshop: Callable[[], Workshop]
    sites: Mapping[str, Site]
    keyring: KeyringSource
    zone: tzinfo


def compose_signed_report(desk: Desk) -> Callable[[Received[ReportSigned], UnitOfWork], Awaitable[None]]:
    """The handler of `report.signed`."""

    async def compose_signed(received: Received[ReportSigned], uow: UnitOfWork) -> None:
        event = received.event
        patient = await PatientRepository(uow, desk.keyring).join(event.patient_id)
        report = await ReportRepository(uow).get(event.report_id)
        # Composed already (the identity came first), or a later version was signed since.
        if report is None or report.current.number != event.version or report.current.state is not State.SIGNED:
            return
        await compose_due(uow, desk, report, patient)

    return compose_signed


async def compose_due(uow: UnitOfWork, desk: Desk, report: Report, patient: KnownPatient) -> None:
    """Make the next edition of the current version if one is due; otherwise say on its lines what it waits for."""
    signature = report.current.signature
    if signature is None:
        return
    if patient.identity is None:
        await _wait(uow, report, reason=str(patient.gap))
        return
    identity = patient.identity
    wanted = audience(signature.choices, qualified=identity.qualified)
    plan = plan_edition(report, wanted, qualified=identity.qualified)
    if plan is None:
        return
    site = desk.sites.get(report.site_id)
    if site is None:
        await _hold(uow, report, (Finding(rule="site_not_configured", path="site"),))
        return
    model = document_model(report, plan, identity, site, composed_at=uow.now, zone=desk.zone)
    made = await desk.workshop().run(model)
    if made.findings:
        await _hold(uow, report, made.findings)
        return
    await _finish(uow, report, _Work(plan, model, made, identity, signature))


@dataclass(frozen=True, slots=True, repr=False)
class _Work:
    plan: EditionPlan
    model: DocumentModel
    made: Made
    identity: PatientIdentity
    signature: Signature


async def _finish(uow: UnitOfWork, report: Report, work: _Work) -> None:
    reference = await _store(uow, report, work)
    edition = Edition(
        reference=reference,
        ins_qualified=work.identity.qualified,
        identity_revision=work.identity.revision,
        audience=work.plan.audience,
        replaces_unique_id=work.plan.replaces_unique_id,
        composed_at=uow.now,
    )
    version = report.current.after(Act.COMPOSE, editions=(*report.current.editions, edition), findings=())
    composed = report.with_current(version, sequence=report.sequence + 1)
    await ReportRepository(uow).save(composed)
    await _tell_lines(uow, composed, qualified=work.identity.qualified)
    choices = work.signature.choices
    event = ReportComposed(
        report_id=report.report_id,
        version=version.number,
        patient_id=report.patient_id,
        site_id=report.site_id,
        document=reference,
        ins_qualified=work.identity.qualified,
        audience=work.plan.audience,
        recipients=recipients_of(version.content),
        visibility=choices.visibility,
        author_rpps=work.signature.signatory.rpps,
        replaces_unique_id=work.plan.replaces_unique_id,
        composed_at=uow.now,
    )
    await uow.emit(event, subject=report.report_id, sequence=composed.sequence)


async def _store(uow: UnitOfWork, report: Report, work: _Work) -> DocumentReference:
    model, made, digests = work.model, work.made, {}
    for form, content in ((documents.Form.CDA, made.cda), (documents.Form.PDF, made.pdf)):
        digests[form] = await documents.store(
            uow, model.document_id, form, content, report_id=report.report_id, site_id=report.site_id
        )
    return DocumentReference(
        document_id=model.document_id,
        cda_sha256=digests[documents.Form.CDA],
        cda_size=len(made.cda),
        pdf_sha256=digests[documents.Form.PDF],
        pdf_size=len(made.pdf),
        unique_id=model.unique_id,
        set_id=model.set_id,
        version_number=model.version_number,
        level=model.site.cda_level,
    )


async def _tell_lines(uow: UnitOfWork, report: Report, *, qualified: bool) -> None:
    version, journeys = report.current, JourneyRepository(uow)
    if version.signature is None:
        return
    for line in await journeys.of_version(report.report_id, version.number):
        party: Audience = party_of(line.channel, line.role)
        said = verdict(party, version.signature.choices, qualified=qualified)
        told = line.fold(fact_of(said, uow.now))
        if told is not line:
            await journeys.put(told)


async def _wait(uow: UnitOfWork, report: Report, *, reason: str) -> None:
    if report.current.editions:
        return
    await ReportRepository(uow).save(report.with_current(report.current.after(Act.WAIT)))
    await _all_wait(uow, report, reason, WhoMustAct.SECRETARY)


async def _hold(uow: UnitOfWork, report: Report, findings: tuple[Finding, ...]) -> None:
    held = report.with_current(report.current.after(Act.HOLD, findings=findings))
    await ReportRepository(uow).save(held)
    await _all_wait(uow, report, "document_held", WhoMustAct.ADMINISTRATOR)


async def _all_wait(uow: UnitOfWork, report: Report, reason: str, who: WhoMustAct) -> None:
    journeys = JourneyRepository(uow)
    fact = Fact(state=LineState.WAITING, at=uow.now, reason=reason, who_must_act=who)
    for line in await journeys.of_version(report.report_id, report.current.number):
        told = line.fold(fact)
        if told is not line:
            await journeys.put(told)
