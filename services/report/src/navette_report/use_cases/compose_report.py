"""Compose what is due for a report: make the documents, check them, store them, tell the other services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import (
    Audience,
    DocumentReference,
    RecipientRole,
    ReportAnnounced,
    ReportComposed,
    ReportSigned,
    WhoMustAct,
)
from navette_documents.sites import Site, share_identities

from navette_report.adapters import documents
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.patients import KeyringSource, KnownPatient, PatientRepository
from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.adapters.reports import ReportRepository
from navette_report.adapters.workshop import Made, Workshop
from navette_report.domain.audience import audience
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.document import DocumentModel, document_model
from navette_report.domain.editions import EditionPlan, misled_in_dmp, plan_edition
from navette_report.domain.identity import IdentityGap, PatientIdentity
from navette_report.domain.journey import (
    DMP_RECIPIENT,
    FAILURES,
    Channel,
    Fact,
    LineKind,
    LineState,
    open_line,
)
from navette_report.domain.lifecycle import IN_FORCE, Act, State
from navette_report.domain.models import ModelBook
from navette_report.domain.pfi.routing import apart, carriers, lost
from navette_report.domain.pfi.succession import held, left_out
from navette_report.domain.report import Edition, Finding, Report, Signature, Version
from navette_report.use_cases.send_to_platforms import ComposedEdition, Outputs, send_edition
from navette_report.use_cases.sign_report import recipients_of
from navette_report.use_cases.take_over_refused import take_over_refused
from navette_report.use_cases.tell_lines import tell_gap_is_closed, tell_verdicts, tell_waiting

IdentityWatcher = Callable[[UnitOfWork, str], Awaitable[None]]
"""Hears of every change of what is known of a patient (by id), inside its transaction."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What composing needs besides the unit of work."""

    workshop: Callable[[], Workshop]
    sites: Mapping[str, Site]
    keyring: KeyringSource
    zone: tzinfo
    models: ModelBook = field(default_factory=ModelBook)
    outputs: Outputs = field(default_factory=Outputs)
    watchers: tuple[IdentityWatcher, ...] = ()
    keeps_documents: bool = False
    """Whether documents of others are kept here; pages then lead to them."""


def compose_signed_report(desk: Desk) -> Callable[[Received[ReportSigned], UnitOfWork], Awaitable[None]]:
    """The handler of `report.signed`."""

    async def compose_signed(received: Received[ReportSigned], uow: UnitOfWork) -> None:
        event = received.event
        patient = await PatientRepository(uow, desk.keyring).join(event.patient_id)
        report = await ReportRepository(uow).get(event.report_id)
        version = None if report is None else report.validated
        # Composed already (the identity came first), withdrawn, or a later version was signed since.
        if report is None or version is None or version.number != event.version or version.state is not State.SIGNED:
            return
        await compose_due(uow, desk, report, patient)

    return compose_signed


def compose_announced_report(desk: Desk) -> Callable[[Received[ReportAnnounced], UnitOfWork], Awaitable[None]]:
    """The handler of `report.announced`: the patient may see the result, so an edition says so (ADR 0010)."""

    async def compose_announced(received: Received[ReportAnnounced], uow: UnitOfWork) -> None:
        event = received.event
        report = await ReportRepository(uow).get(event.report_id)
        version = None if report is None else report.validated
        # Not composed at all yet: the first edition will already be one that hides nothing.
        if report is None or version is None or version.number != event.version or version.state is State.SIGNED:
            return
        await compose_due(uow, desk, report, await PatientRepository(uow, desk.keyring).join(report.patient_id))

    return compose_announced


async def compose_due(uow: UnitOfWork, desk: Desk, report: Report, patient: KnownPatient) -> None:
    """Make the next edition of the validated version if one is due; otherwise say on its lines what it waits for."""
    version = report.validated
    if version is None or version.signature is None or version.in_force is None or version.state not in IN_FORCE:
        return
    identity = patient.identity
    if identity is None:
        await _wait(uow, report, version, reason=str(patient.gap))
        return
    if not share_identities(desk.sites, identity.site_id, report.site_id):
        await _wait(uow, report, version, reason=IdentityGap.ELSEWHERE)
        return
    wanted = audience(version.in_force, qualified=identity.qualified)
    refused = await _refused_by_dmp(uow, report)
    messages = await PlatformMessages(uow).of(report.report_id)
    passed_over = lost(report, held(messages))
    unserved = left_out(messages, version.number, wanted, passed_over)
    if not identity.qualified:
        passed_over |= apart(desk.outputs.distribution, report, wanted)
    plan = plan_edition(
        report,
        wanted,
        qualified=identity.qualified,
        refused=refused,
        passed_over=passed_over,
        left_out=frozenset(party for one in unserved for party in one.parties),
    )
    if plan is None:
        await tell_gap_is_closed(uow, version, report.report_id, qualified=identity.qualified)
        return
    site = desk.sites.get(report.site_id)
    if site is None:
        await _hold(uow, report, version, (Finding(rule="site_not_configured", path="site"),))
        return
    ipp_oid = desk.sites.get(identity.site_id, site).ipp_oid
    model = document_model(report, plan, identity, site, ipp_oid=ipp_oid, composed_at=uow.now, zone=desk.zone)
    made = await desk.workshop().run(model)
    if made.findings:
        await _hold(uow, report, version, made.findings)
        return
    work = _Work(version, plan, model, made, identity, version.signature, version.in_force, tuple(unserved))
    await _finish(uow, desk, report, work)


@dataclass(frozen=True, slots=True, repr=False)
class _Work:
    version: Version
    plan: EditionPlan
    model: DocumentModel
    made: Made
    identity: PatientIdentity
    signature: Signature
    choices: SignatureChoices
    takes_over: tuple[PlatformMessage, ...]
    """Messages that were refused, whose parties this document serves too."""


async def misled(uow: UnitOfWork, report: Report) -> bool:
    """Whether the DMP refused the version in force for naming a document that it refused before."""
    version = report.validated
    if version is None or version.state not in IN_FORCE:
        return False
    return misled_in_dmp(version, await _refused_by_dmp(uow, report)) is not None


async def _refused_by_dmp(uow: UnitOfWork, report: Report) -> frozenset[str]:
    """uniqueIds of the editions the DMP was given and does not have."""
    journeys, refused = JourneyRepository(uow), set()
    for number in {version.number for version in report.versions if Audience.DMP in version.served}:
        for line in await journeys.of_version(report.report_id, number):
            is_document = line.channel is Channel.DMP and line.kind is not LineKind.WITHDRAWAL
            if is_document and line.unique_id is not None and line.shown.state in FAILURES:
                refused.add(line.unique_id)
    return frozenset(refused)


async def _finish(uow: UnitOfWork, desk: Desk, report: Report, work: _Work) -> None:
    reference = await _store(uow, report, work)
    edition = Edition(
        reference=reference,
        ins_qualified=work.identity.qualified,
        identity_revision=work.identity.revision,
        audience=work.plan.audience,
        replaces_unique_id=work.plan.replaces_unique_id,
        hidden_from_patient=work.choices.visibility.hidden_from_patient,
        carriers=carriers(desk.outputs.distribution, report, work.plan.audience),
        composed_at=uow.now,
    )
    version = work.version.after(Act.COMPOSE, editions=(*work.version.editions, edition), findings=())
    composed = report.with_current(version, sequence=report.sequence + 1)
    await ReportRepository(uow).save(composed)
    await tell_verdicts(uow, version, report.report_id, qualified=work.identity.qualified)
    if Audience.DMP in work.plan.audience:
        await _name_document(uow, report.report_id, work.version, reference.unique_id)
    event = ReportComposed(
        report_id=report.report_id,
        version=version.number,
        patient_id=report.patient_id,
        site_id=report.site_id,
        document=reference,
        ins_qualified=work.identity.qualified,
        # What a platform carries, Navette does not send too.
        audience=tuple(party for party in work.plan.audience if party not in edition.carriers),
        recipients=recipients_of(version.content),
        visibility=work.choices.visibility,
        author_rpps=work.signature.signatory.rpps,
        replaces_unique_id=work.plan.replaces_unique_id,
        composed_at=uow.now,
    )
    await uow.emit(event, subject=report.report_id, sequence=composed.sequence)
    await take_over_refused(uow, desk.outputs.distribution, work.takes_over)
    handed = ComposedEdition(report, version.number, work.model, edition, work.choices)
    await send_edition(uow, desk.outputs, desk.keyring, handed)


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


async def _name_document(uow: UnitOfWork, report_id: str, before: Version, unique_id: str) -> None:
    """Write on the DMP's line which document it is about; one that shows what was hidden has a line of its own."""
    journeys = JourneyRepository(uow)
    lines = await journeys.of_version(report_id, before.number)
    refused = next(
        (
            line
            for line in lines
            if line.channel is Channel.DMP and line.unique_id in _given(before) and line.shown.state in FAILURES
        ),
        None,
    )
    if refused is not None:
        # The document of that line was refused for what it names; this one takes its place on the same line.
        fresh = Fact(state=LineState.SCHEDULED, at=uow.now)
        await journeys.put(
            refused.model_copy(update={"unique_id": unique_id, "shown": fresh, "times": {fresh.state: fresh.at}})
        )
        return
    if Audience.DMP in before.served:
        fact = Fact(state=LineState.SCHEDULED, at=uow.now)
        line = open_line(
            report_id,
            before.number,
            Channel.DMP,
            DMP_RECIPIENT,
            RecipientRole.OTHER,
            fact,
            kind=LineKind.RELEASE,
            unique_id=unique_id,
        )
        await journeys.put(line)
        return
    for line in lines:
        if line.channel is Channel.DMP and line.kind is LineKind.REPORT:
            await journeys.put(line.model_copy(update={"unique_id": unique_id}))


def _given(version: Version) -> frozenset[str]:
    """uniqueId of the last edition of a version that was made for the DMP."""
    given = [one.reference.unique_id for one in version.editions if Audience.DMP in one.audience]
    return frozenset(given[-1:])


async def _wait(uow: UnitOfWork, report: Report, version: Version, *, reason: str) -> None:
    if version.editions:
        # What was composed has left or is on its way; what waits for another edition says why.
        await tell_waiting(uow, report.report_id, version, reason, WhoMustAct.SECRETARY)
        return
    await ReportRepository(uow).save(report.with_current(version.after(Act.WAIT)))
    await tell_waiting(uow, report.report_id, version, reason, WhoMustAct.SECRETARY)


async def _hold(uow: UnitOfWork, report: Report, version: Version, findings: tuple[Finding, ...]) -> None:
    await ReportRepository(uow).save(report.with_current(version.after(Act.HOLD, findings=findings)))
    await tell_waiting(uow, report.report_id, version, "document_held", WhoMustAct.ADMINISTRATOR)
