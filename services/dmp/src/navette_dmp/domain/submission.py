"""From a CDA to what ITI-41 carries: checks before sending, lot, sheets, lot signature (spec/dmp.md §6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from navette_documents.cda_header import read_header
from navette_documents.cda_model import CdaHeader
from navette_documents.codes import (
    CLASS_REPORT,
    CONFIDENTIALITY,
    CONTENT_TYPE_CONSULTATION,
    HIDDEN_FROM_PATIENT,
    HIDDEN_FROM_PROFESSIONALS,
    Code,
)
from navette_documents.errors import InvalidValue
from navette_documents.hl7dates import format_utc, parse_ts
from navette_documents.identifiers import check_ins_oid
from navette_documents.sites import Site
from navette_documents.xds import (
    Association,
    AssociationKind,
    Author,
    DocumentEntry,
    Submission,
    SubmissionSet,
    author_of,
    entry_from_cda,
    unique_id_of,
)
from navette_documents.xds.hl7types import xon

from navette_dmp.domain.lot_signature import PURPOSE_SOURCE, LotDigest, sign_lot
from navette_dmp.domain.names import DSIG
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.vihf import VihfSubject, subject_of

LOT_TITLE = "Envoi d'un compte rendu d'imagerie"
DELETION_TITLE = "Suppression d'un compte rendu d'imagerie"
_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"

_SIGNATURE_CLASS = Code("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "Digital Signature", "URN")
_SIGNATURE_TYPE = Code("E1762", "Full Document", "ASTM")
_SIGNATURE_FORMAT = Code(DSIG, "Default Signature Style", "URN")
_SIGNATURE_EVENT = Code(PURPOSE_SOURCE, "Source", "1.2.840.10065.1.12")


@dataclass(frozen=True, slots=True)
class SubmissionRules:
    """Choices of the installation."""

    source_id: str
    """OID of this installation (EX_GEN-1350)."""
    production: bool
    max_document_bytes: int
    class_code: Code = CLASS_REPORT
    structure: Literal["certificate", "site"] = "certificate"
    """Whose Struct_IdNat the VIHF and the lot carry; the guide tolerates either entity."""
    lot_digest: LotDigest | None = LotDigest.SHA256
    """None: no lot signature."""
    secret_connection: str | None = None
    """What the VIHF says for a connexion secrète; None: the function is off."""


@dataclass(frozen=True, slots=True)
class Document:
    """A CDA that passed the checks before sending."""

    cda: bytes = field(repr=False)
    header: CdaHeader
    entry: DocumentEntry
    subject: VihfSubject
    institution: str
    """XON of the sending structure."""


def check_document(
    cda: bytes, publication: Publication, site: Site, rules: SubmissionRules, *, signer_structure: str
) -> Document:
    """The document, ready to be submitted.

    Raises InvalidValue or XmlRefused when it must not be sent; nothing of the patient is quoted.
    """
    if len(cda) > rules.max_document_bytes:
        raise InvalidValue("document", "too large")
    if len(cda) != publication.size or hashlib.sha256(cda).hexdigest() != publication.sha256:
        raise InvalidValue("document", "not the bytes that were composed")
    if "^" in publication.unique_id:
        raise InvalidValue("uniqueId", "the DMP takes an OID without extension")
    header = read_header(cda, max_bytes=rules.max_document_bytes)
    if unique_id_of(header.id) != publication.unique_id:
        raise InvalidValue("uniqueId", "not that of the document announced")
    if header.patient.ins is None:
        raise InvalidValue("ins", "missing")
    check_ins_oid(header.patient.ins.root, production=rules.production)
    entry = entry_from_cda(header, cda, visibility=publication.visibility, class_code=rules.class_code)
    structure, name = _structure(site, rules, signer_structure)
    subject = subject_of(
        header.legal_authenticator,
        structure=structure,
        sector=site.sector,
        patient=entry.patient_id,
        authenticated_at=parse_ts(header.legal_authenticator.time or header.effective_time),
    )
    if publication.secret_connection:
        subject = replace(subject, secret_connection=_secret_connection(publication, rules))
    return Document(cda, header, entry, subject, xon(name, structure))


def _secret_connection(publication: Publication, rules: SubmissionRules) -> str:
    """What the VIHF says. Never sent as an ordinary deposit instead: the choice protects a minor."""
    if rules.secret_connection is None:
        raise InvalidValue("secret_connection", "off")
    if not publication.hidden_from_representatives:
        raise InvalidValue("secret_connection", "visible to representatives")
    return rules.secret_connection


def build_submission(
    document: Document,
    *,
    site: Site,
    rules: SubmissionRules,
    signer: Signer,
    now: datetime,
    replaced_entry: str | None,
) -> tuple[Submission, dict[str, bytes]]:
    """Lot with its sheets, and the files by object id.

    The uniqueId of the lot depends on the document only: the DMP recognises a resend, and so do we. That of
    the signature file depends on the moment too, since its bytes do.
    """
    unique_id = document.entry.unique_id
    lot = _lot(document, rules, unique_id=lot_unique_id(site, unique_id), now=now)
    entries = [document.entry]
    files = {document.entry.object_id: document.cda}
    links = []
    if replaced_entry is not None:
        links.append(Association(AssociationKind.REPLACES, document.entry.object_id, replaced_entry))
    if rules.lot_digest is not None:
        content = sign_lot(
            {unique_id: document.cda},
            lot_unique_id=lot.unique_id,
            signer=signer,
            signed_at=now,
            digest=rules.lot_digest,
        )
        moment = format_utc(now) + f"{now.microsecond:06d}"
        signature = _signature_entry(
            document.entry, lot, content, site.uids.deterministic("dmp-lot-signature", unique_id, moment)
        )
        entries.append(signature)
        files[signature.object_id] = content
        links.append(Association(AssociationKind.SIGNS, signature.object_id, lot.object_id))
    return Submission(lot, tuple(entries), tuple(links)), files


def build_deletion(
    document: Document, *, site: Site, rules: SubmissionRules, now: datetime, entry_uuid: str
) -> Submission:
    """Lot that deletes an entry of our own structure (TD3.3c, spec/dmp.md §9.1).

    Its uniqueId depends on the document only: a deletion that was accepted is not accepted twice.
    """
    unique_id = site.uids.deterministic("dmp-deletion", document.entry.unique_id)
    lot = replace(_lot(document, rules, unique_id=unique_id, now=now), title=DELETION_TITLE)
    slots = (("OriginalStatus", _APPROVED), ("NewStatus", _DELETED))
    link = Association(AssociationKind.UPDATE_STATUS, lot.object_id, entry_uuid, slots)
    return Submission(lot, (), (link,))


def _lot(document: Document, rules: SubmissionRules, *, unique_id: str, now: datetime) -> SubmissionSet:
    author = author_of(document.header.legal_authenticator)
    return SubmissionSet(
        unique_id=unique_id,
        source_id=rules.source_id,
        patient_id=document.entry.patient_id,
        submission_time=format_utc(now),
        author=Author(
            person=author.person,
            institutions=(document.institution,),
            roles=author.roles,
            specialties=author.specialties,
        ),
        content_type=CONTENT_TYPE_CONSULTATION,
        title=LOT_TITLE,
    )


def lot_unique_id(site: Site, unique_id: str) -> str:
    """uniqueId of the lot that carries a document: the same for each attempt."""
    return site.uids.deterministic("dmp-lot", unique_id)


def _signature_entry(entry: DocumentEntry, lot: SubmissionSet, content: bytes, unique_id: str) -> DocumentEntry:
    return replace(
        entry,
        object_id="Signature01",
        unique_id=unique_id,
        creation_time=lot.submission_time,
        service_start_time=lot.submission_time,
        service_stop_time=lot.submission_time,
        language="art",
        source_patient_id=entry.patient_id,
        sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        size=len(content),
        title="Source",
        authors=(lot.author,),
        class_code=_SIGNATURE_CLASS,
        type_code=_SIGNATURE_TYPE,
        format_code=_SIGNATURE_FORMAT,
        confidentiality=(CONFIDENTIALITY["N"], HIDDEN_FROM_PROFESSIONALS, HIDDEN_FROM_PATIENT),
        event_codes=(_SIGNATURE_EVENT,),
        reference_ids=(),
    )


def _structure(site: Site, rules: SubmissionRules, signer_structure: str) -> tuple[str, str]:
    """Struct_IdNat and name of the sender; the seal must have been issued to one of the site's entities."""
    entities = {site.struct_idnat: site.name, site.legal_struct_idnat: site.legal_name}
    if signer_structure not in entities:
        raise InvalidValue("certificate", "issued to another structure than the site's")
    structure = signer_structure if rules.structure == "certificate" else site.struct_idnat
    return structure, entities[structure]
