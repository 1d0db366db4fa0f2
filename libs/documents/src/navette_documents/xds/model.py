"""Model of an XDS submission: the lot, the document entries, their associations. No XML here.

Values that are HL7 v2 data types (patient ids, authors) hold their formatted text, made by `hl7types`.
Times are UTC texts as XDS writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from navette_documents.codes import Code


@dataclass(frozen=True, slots=True)
class Author:
    """Author of a lot or of a document; slots of one Classification."""

    person: str
    """XCN."""
    institutions: tuple[str, ...]
    """XON, one per structure."""
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    """code^label^OID."""


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """The lot (spec/dmp.md §6.2)."""

    unique_id: str
    """OID, new for each lot."""
    source_id: str
    """OID of the sending installation."""
    patient_id: str = field(repr=False)
    """CX."""
    submission_time: str
    author: Author
    content_type: Code
    title: str | None = None
    comments: str | None = None
    object_id: str = "SubmissionSet01"


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """The sheet of one document (spec/dmp.md §6.3)."""

    unique_id: str
    patient_id: str = field(repr=False)
    """CX."""
    mime_type: str
    creation_time: str
    service_start_time: str
    language: str
    legal_authenticator: str | None
    """XCN."""
    source_patient_id: str = field(repr=False)
    """CX."""
    source_patient_info: tuple[str, ...] = field(repr=False)
    """PID-5, PID-7 … lines."""
    sha1: str
    """Hexadecimal SHA-1 of the exact bytes sent."""
    size: int
    """Bytes."""
    title: str
    authors: tuple[Author, ...]
    class_code: Code
    type_code: Code
    format_code: Code
    confidentiality: tuple[Code, ...]
    facility_type: Code
    practice_setting: Code
    service_stop_time: str | None = None
    comments: str | None = None
    event_codes: tuple[Code, ...] = ()
    reference_ids: tuple[str, ...] = field(default=(), repr=False)
    """CXi."""
    uri: str | None = None
    """File name inside an XDM archive."""
    extra_slots: tuple[tuple[str, str], ...] = ()
    """Further slots (name, value), such as `urn:action:extraMetadataSlot` of a mail that replaces."""
    object_id: str = "Document01"


class AssociationKind(StrEnum):
    """Kinds of association used in a submission (spec/dmp.md §6.1)."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"


@dataclass(frozen=True, slots=True)
class Association:
    """A link between two objects of the submission, or from one to an entry already registered."""

    kind: AssociationKind
    source: str
    target: str
    """Object id of this message, or `urn:uuid:` entryUUID of the registry."""
    slots: tuple[tuple[str, str], ...] = ()
    """Further slots (name, value), such as the statuses of an update."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A lot with its entries. HasMember associations follow from the entries; `links` are the others."""

    lot: SubmissionSet
    entries: tuple[DocumentEntry, ...]
    links: tuple[Association, ...] = ()

    @property
    def associations(self) -> tuple[Association, ...]:
        """HasMember for each entry, then the other links."""
        members = tuple(
            Association(AssociationKind.HAS_MEMBER, self.lot.object_id, entry.object_id) for entry in self.entries
        )
        return members + self.links
