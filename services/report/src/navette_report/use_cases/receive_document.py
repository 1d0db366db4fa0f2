"""Take in a document of somebody else: filed when it is certain whose it is, else kept until a person says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.blind_index import BlindIndex
from navette_documents.cda_model import CdaHeader
from navette_documents.sites import Site, share_identities

from navette_report.adapters.intake_messages import Tokens
from navette_report.adapters.patient_keys import PatientKeys
from navette_report.adapters.patients import KeyringSource, PatientRepository
from navette_report.adapters.received_documents import ReceivedDocuments
from navette_report.domain.identity import IdentityGap, PatientIdentity
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.received.filing import why_not
from navette_report.domain.received.model import (
    IN_FILE,
    News,
    Origin,
    Received,
    Standing,
    Summary,
    authored_at,
    id_text,
    read_document,
    summary_of,
)

FILING: Final = "received.file"
"""Action of the audit stream for a document that is filed."""


@dataclass(frozen=True, slots=True)
class ReceptionDesk:
    """What reception works with besides the unit of work."""

    keyring: KeyringSource
    index: BlindIndex
    tokens: Tokens
    sites: Mapping[str, Site]
    zone: tzinfo

    def keys(self, uow: UnitOfWork) -> PatientKeys:
        """The patients by number, inside a unit of work."""
        return PatientKeys(uow, self.keyring, self.index)

    def store(self, uow: UnitOfWork) -> ReceivedDocuments:
        """The documents inside a unit of work."""
        return ReceivedDocuments(uow, self.keyring)

    def domain_of(self, site_id: str) -> str:
        """The identity domain of a site."""
        site = self.sites.get(site_id)
        return site_id if site is None else site.shares_identities_as


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A document on its way in. `patient_id`: the patient in whose file a person or the DMP found it."""

    site_id: str
    origin: Origin
    by: str
    cda: bytes
    style: bytes = b""
    patient_id: str | None = None
    by_person: bool = False
    hidden_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it; `known` when it was here already (CDA/DD.04)."""

    document: Received
    known: bool = False


async def receive_document(uow: UnitOfWork, desk: ReceptionDesk, arrival: Arrival) -> Taken:
    """File a document, or keep it to be filed.

    Raises Unfit when it cannot be read; Forbidden, with nothing kept, when it is not of the patient it is given for.
    """
    header = read_document(arrival.cda)
    store, digest = desk.store(uow), desk.tokens.digest(arrival.cda)
    domain, unique_id = desk.domain_of(arrival.site_id), id_text(header.id)
    same_id = await store.named(domain, [unique_id])
    known = next((one for one in same_id if one.digest == digest), None)
    if known is not None and (known.standing in IN_FILE or arrival.patient_id is None):
        # A document that is in one file is not shown from another.
        if not await _is_same_person(desk.keys(uow), known.patient_id, arrival.patient_id):
            raise Forbidden("filed_elsewhere")
        return Taken(known, known=True)
    summary = summary_of(header)
    document = known or _document(uow, desk, arrival, header, domain=domain, digest=digest)
    document = await _judged(uow, desk, document, summary, arrival, others=known is None and bool(same_id))
    if known is None:
        await store.add(document, summary, cda=arrival.cda, style=arrival.style)
    else:  # it waited here for whoever brings it again and says whose it is
        await store.save(document)
    if document.standing is Standing.FILED:
        document = await told(uow, desk, document, by=arrival.by)
    return Taken(document)


async def refile(uow: UnitOfWork, desk: ReceptionDesk, tokens: list[str]) -> None:
    """An identity changed: what waited for it is judged again."""
    store = desk.store(uow)
    for document, summary in await store.awaiting(tokens):
        reason, identity = await _automatic(uow, desk, document, summary)
        if reason is None and identity is not None:
            filed = filed_with(document, identity.patient_id)
            await told(uow, desk, await store.save(filed), by="navette-report")
        elif reason != document.reason:
            await store.save(document.model_copy(update={"reason": reason}))


async def told(uow: UnitOfWork, desk: ReceptionDesk, document: Received, *, by: str) -> Received:
    """Filed: say so in the audit stream, and tell the versions that it replaces or that replace it."""
    store = desk.store(uow)
    place = ("received", document.document_id, document.site_id)
    await uow.record_access(by, FILING, *place, "granted")
    for former in await store.named(document.domain, document.replaces):
        if former.standing is Standing.FILED:
            news = {"news": News.NEWER, "newer_id": document.document_id}
            await store.save(former.model_copy(update=news))
    newer = await store.replacing(document.domain, document.unique_id)
    if not newer:
        return document
    # The newer one came first.
    late = {"news": News.NEWER, "newer_id": newer[-1].document_id}
    return await store.save(document.model_copy(update=late))


def filed_with(document: Received, patient_id: str) -> Received:
    """The document in the file of a patient."""
    changes = {"patient_id": patient_id, "standing": Standing.FILED, "reason": None, "awaits": ()}
    return document.model_copy(update=changes)


async def identity_for(
    uow: UnitOfWork, desk: ReceptionDesk, *, patient_id: str, site_id: str, by: str
) -> PatientIdentity | None:
    """The identity a person names, None for one that is not known in the identity domain of that site.

    Raises Forbidden for a record that was merged into another.
    """
    known = await PatientRepository(uow, desk.keyring).find(patient_id)
    if known.gap is IdentityGap.MERGED:
        raise Forbidden("identity_merged")
    identity = known.identity
    if identity is None or not share_identities(desk.sites, identity.site_id, site_id):
        return None
    if identity.site_id != site_id:
        await uow.record_access(by, "identity.use", "patient", patient_id, identity.site_id, "granted")
    return identity


async def another_patients(uow: UnitOfWork, desk: ReceptionDesk, document: Received, patient_id: str) -> bool:
    """Whether it says it replaces a document that is in the file of somebody else."""
    keys = desk.keys(uow)
    for one in await desk.store(uow).named(document.domain, document.replaces):
        if one.standing in IN_FILE and not await _is_same_person(keys, one.patient_id, patient_id):
            return True
    return False


async def _is_same_person(keys: PatientKeys, one: str | None, other: str | None) -> bool:
    """Whether two records are one, or became one by a merge; yes when either is not said."""
    if one is None or other is None or one == other:
        return True
    return await keys.surviving(one) == await keys.surviving(other)


async def _judged(
    uow: UnitOfWork, desk: ReceptionDesk, document: Received, summary: Summary, arrival: Arrival, *, others: bool
) -> Received:
    if arrival.patient_id is not None:
        identity = await identity_for(uow, desk, patient_id=arrival.patient_id, site_id=arrival.site_id, by=arrival.by)
        reason = why_not(summary, identity, by_person=arrival.by_person)
        if reason is None and await another_patients(uow, desk, document, arrival.patient_id):
            reason = "replaces_another_patient"
        if reason is not None:
            raise Forbidden(reason)
        if others:
            raise Forbidden("other_content")
        return filed_with(document, arrival.patient_id)
    if others:
        return document.model_copy(update={"reason": "other_content"})
    reason, found = await _automatic(uow, desk, document, summary)
    if reason is None and found is not None:
        return filed_with(document, found.patient_id)
    awaits = (desk.keys(uow).of_ins(summary.ins_oid, summary.matricule),) if summary.matricule else ()
    await desk.keys(uow).wait_for(awaits)
    return document.model_copy(update={"reason": reason, "awaits": awaits})


async def _automatic(
    uow: UnitOfWork, desk: ReceptionDesk, document: Received, summary: Summary
) -> tuple[str | None, PatientIdentity | None]:
    """The patient it can be filed with without a person, or why there is none."""
    if not summary.matricule:
        return "ins_missing", None
    keys = desk.keys(uow)
    found = await keys.candidates(keys.of_ins(summary.ins_oid, summary.matricule))
    ours = [one for one in found if share_identities(desk.sites, one.site_id, document.site_id)]
    if len(ours) > 1:
        return "patient_ambiguous", None
    identity = ours[0] if ours else None
    reason = why_not(summary, identity, by_person=False)
    if reason is None and identity is not None and await another_patients(uow, desk, document, identity.patient_id):
        reason = "replaces_another_patient"
    return reason, identity


def _document(
    uow: UnitOfWork, desk: ReceptionDesk, arrival: Arrival, header: CdaHeader, *, domain: str, digest: str
) -> Received:
    return Received(
        document_id=uuid7(),
        domain=domain,
        site_id=arrival.site_id,
        origin=arrival.origin,
        unique_id=id_text(header.id),
        set_id=id_text(header.set_id),
        version_number=header.version_number,
        replaces=tuple(id_text(one) for one in header.replaces),
        type_code=header.code.code,
        authored_at=authored_at(header, desk.zone),
        level=header.level,
        received_at=uow.now,
        size=len(arrival.cda),
        digest=digest,
        styled=bool(arrival.style),
        hidden_from=arrival.hidden_from,
    )
