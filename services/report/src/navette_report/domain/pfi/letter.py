"""Everything a message says of one edition, gathered once: what is written, and what a deletion is written from."""

from __future__ import annotations

from enum import StrEnum

from navette_contracts.events import IdentityAttribute, IdentityStatus, Ins, RecipientRole, Traits

from navette_report.domain.document import DocumentModel
from navette_report.domain.fields import Strict
from navette_report.domain.pfi.indicators import Indicators

_CODES = {IdentityAttribute.HOMONYME: "HOMA", IdentityAttribute.DOUTEUSE: "DOUT", IdentityAttribute.FICTIVE: "FICT"}


class Action(StrEnum):
    """What a message asks for."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"


class Addressee(Strict):
    """A professional or an organisation the platform mails the report to."""

    recipient_id: str
    role: RecipientRole
    family_name: str
    given_name: str | None
    rpps: str | None
    finess: str | None
    organization: str | None
    address: str


class Letter(Strict):
    """One edition for one platform. Stored sealed: it holds the identity of the patient."""

    unique_id: str
    replaces: str | None
    document_id: str
    cda_sha256: str
    traits: Traits
    checked: bool
    """PID-32 VALI: the identity is validated or qualified."""
    codes: tuple[str, ...]
    ins: Ins | None
    local_id: str
    local_authority: str
    """OID of the domain of `local_id`."""
    local_authority_name: str
    author_rpps: str
    author_family_name: str
    author_given_name: str | None
    site_name: str
    site_finess: str
    reply_to: str | None
    placer_number: str | None
    accession_number: str
    addressees: tuple[Addressee, ...]
    patient_address: str | None
    indicators: Indicators

    @property
    def mailboxes(self) -> tuple[Addressee, ...]:
        """The first addressee of each mailbox: colleagues who share one are written to once."""
        first: dict[str, Addressee] = {}
        for one in self.addressees:
            first.setdefault(one.address.lower(), one)
        return tuple(first.values())

    def readers(self, address: str) -> frozenset[str]:
        """recipient_id of everyone who reads a mailbox of professionals, given in lower case."""
        return frozenset(one.recipient_id for one in self.addressees if one.address.lower() == address)


def addressees_of(document: DocumentModel, former: tuple[Addressee, ...] = ()) -> tuple[Addressee, ...]:
    """The correspondents whose MSSanté address is known, then those of former versions (they get the correction)."""
    named = [
        Addressee(
            recipient_id=one.recipient_id,
            role=one.role,
            family_name=one.family_name,
            given_name=one.given_name,
            rpps=one.rpps,
            finess=one.finess,
            organization=one.organization,
            address=one.mss_address,
        )
        for one in document.content.correspondents
        if one.mss_address is not None
    ]
    known = {one.recipient_id for one in document.content.correspondents}
    return (*named, *(one for one in former if one.recipient_id not in known))


def letter_of(
    document: DocumentModel,
    indicators: Indicators,
    *,
    cda_sha256: str,
    addressees: tuple[Addressee, ...],
    patient_domain: str,
) -> Letter:
    """The letter of an edition; `document.patient` carries an INS only if it is qualified."""
    patient, site, signatory = document.patient, document.site, document.signature.signatory
    exam = document.content.exam
    return Letter(
        unique_id=document.unique_id,
        replaces=document.replaces_unique_id,
        document_id=document.document_id,
        cda_sha256=cda_sha256,
        traits=patient.traits,
        checked=patient.status in (IdentityStatus.VALIDEE, IdentityStatus.QUALIFIEE),
        codes=tuple(_CODES[one] for one in sorted(patient.attributes) if one in _CODES),
        ins=patient.ins,
        local_id=patient.traits.local_id or patient.patient_id,
        local_authority=document.ipp_oid,
        local_authority_name=site.legal_name,
        author_rpps=signatory.rpps,
        author_family_name=signatory.family_name,
        author_given_name=signatory.given_name,
        site_name=site.name,
        site_finess=site.finess,
        reply_to=site.reply_to,
        placer_number=exam.order_placer_number,
        accession_number=exam.accession_number,
        addressees=addressees if indicators.to_professionals else (),
        patient_address=f"{patient.ins.matricule}@{patient_domain}" if indicators.to_patient and patient.ins else None,
        indicators=indicators,
    )
