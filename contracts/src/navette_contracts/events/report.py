"""Facts about reports, from the service report. They carry references, never a document or its text."""

from typing import ClassVar, Literal

from navette_contracts.events.base import (
    Code,
    DocumentUid,
    Event,
    Finess,
    Moment,
    OpaqueId,
    Part,
    Rpps,
    Sha256,
    Size,
    Version,
)
from navette_contracts.parsing import OpenEnum
from navette_contracts.sealed import Sealed


class Visibility(Part):
    """From whom the DMP must hide the document."""

    hidden_from_professionals: bool = False
    hidden_from_patient: bool = False
    hidden_from_representatives: bool = False
    secret_connection: bool = False
    """Connexion secrète of a minor: the legal representatives do not learn of the deposit either."""


class RecipientRole(OpenEnum):
    """Why somebody receives the report."""

    REQUESTER = "requester"
    COPY = "copy"
    PATIENT = "patient"
    OTHER = "other"


class Recipient(Part):
    """Somebody the report goes to by MSSanté. A professional has an RPPS, a structure a FINESS."""

    recipient_id: OpaqueId
    role: RecipientRole
    rpps: Rpps | None = None
    finess: Finess | None = None


class Audience(OpenEnum):
    """Whom one edition of a document is made for."""

    DMP = "dmp"
    PROFESSIONALS = "professionals"
    PATIENT = "patient"
    OTHER = "other"


class ReportSigned(Event):
    """Version n of a report was validated by a radiologist, with the choices made at that moment."""

    type: ClassVar[str] = "report.signed.v1"
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    patient_id: OpaqueId
    site_id: OpaqueId
    signed_by_rpps: Rpps
    signed_at: Moment
    visibility: Visibility = Visibility()
    announcement_needed: bool
    withheld_from_dmp: bool
    withheld_from_patient: bool
    recipients: tuple[Recipient, ...]
    replaces_version: Version | None = None


class DocumentReference(Part):
    """Where the composed document is and what it must hash to."""

    document_id: OpaqueId
    cda_sha256: Sha256
    cda_size: Size
    pdf_sha256: Sha256
    pdf_size: Size
    unique_id: DocumentUid
    """ClinicalDocument/id, and XDS uniqueId."""
    set_id: DocumentUid
    """ClinicalDocument/setId, constant over the versions of one report."""
    version_number: Version
    """ClinicalDocument/versionNumber."""
    level: Literal["N1", "N3"]


class ReportComposed(Event):
    """An edition of version n exists, was checked and is stored; those in `audience` are to receive it."""

    type: ClassVar[str] = "report.composed.v1"
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    patient_id: OpaqueId
    site_id: OpaqueId
    document: DocumentReference
    type_code: Code = "18748-4"
    """LOINC code of the document type; 18748-4 is the imaging report."""
    ins_qualified: bool
    audience: tuple[Audience, ...]
    recipients: tuple[Recipient, ...]
    visibility: Visibility = Visibility()
    author_rpps: Rpps
    replaces_unique_id: DocumentUid | None = None
    composed_at: Moment


class ReportWithdrawn(Event):
    """Version n was annulled: delete it where it went and tell its recipients."""

    type: ClassVar[str] = "report.withdrawn.v1"
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    unique_id: DocumentUid | None = None
    withdrawn_by_rpps: Rpps
    withdrawn_at: Moment
    reason: Sealed[str] | None = None


class ReportAnnounced(Event):
    """The patient was told the result: the report may be shown to the patient."""

    type: ClassVar[str] = "report.announced.v1"
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    announced_by: OpaqueId
    announced_at: Moment
