"""What a received report says, whatever form it came in. Nothing here was believed yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from navette_report.domain.content import Correspondent
from navette_report.domain.imaging import Act


class Doing(StrEnum):
    """What the sender wants done (spec/hl7v2.md §4.3, §5.1)."""

    FILE = "file"
    """A report: new, or the next state of one that is not final."""
    CORRECT = "correct"
    """A corrected report takes the place of one that was sent before."""
    CANCEL = "cancel"
    """The report is wrong and must go."""


class Form(StrEnum):
    """What the body of a received report is."""

    TEXT = "text"
    PDF = "pdf"
    CDA = "cda"
    RTF = "rtf"
    REFERENCE = "reference"
    """A path or address: never fetched."""
    NONE = "none"


@dataclass(frozen=True, slots=True, repr=False)
class PatientClaim:
    """Who the report is about, as the sender says. "" where nothing usable was said."""

    local_id: str
    """IPP under the authority that the sender and its site share."""
    matricule: str
    """Only a validated one with a right key."""
    ins_oid: str
    birth_name: str
    given_name: str
    given_names: str
    birth_date: str
    """YYYY-MM-DD, "" when it is not a full date."""
    sex: str
    """M or F, "" when neither."""
    birth_place_code: str
    all_ids: frozenset[str] = frozenset()
    """Every number of the patient in the message, believed or not."""


@dataclass(frozen=True, slots=True, repr=False)
class ExamClaim:
    """Which examination it reports on."""

    accession_number: str
    placer_number: str
    study_instance_uid: str
    started_at: datetime | None
    codes: tuple[str, ...]
    """Codes of the examination in the sender's words, most telling first."""
    label: str
    modality: str
    """DICOM code of the section, "" when not said."""
    further: tuple[tuple[str, str], ...] = ()
    """Accession and order placer number of the other requests it answers; "" for no placer number."""
    acts: tuple[Act, ...] = ()
    """The acts themselves, when the sender speaks in our terms."""


def other_requests(found: Iterable[tuple[str, str]], accession: str, placer: str) -> tuple[tuple[str, str], ...]:
    """The pairs of numbers that name another request than the first one, each once.

    A pair without accession number is another order of the same one; without placer number, of an accession number
    that is known already, it says nothing new.
    """
    known = {(accession, placer): None}
    for their_accession, their_placer in found:
        pair = (their_accession or accession, their_placer)
        if their_placer or pair[0] not in {one for one, _ in known}:
            known.setdefault(pair)
    return tuple(known)[1:]


@dataclass(frozen=True, slots=True)
class AuthorClaim:
    """Who wrote it, as the sender says."""

    rpps: str
    """"" when the sender gave no national number that is right."""
    local_id: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Body:
    """What the report itself says."""

    form: Form
    sections: Mapping[str, str] = field(default_factory=dict)
    """Texts by field of `ReportContent`."""
    original: bytes = b""
    """The document as received (PDF, CDA, RTF), "" for plain text."""


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedReport:
    """One received report, read."""

    doing: Doing
    document_id: str
    """What the sender calls this document: `document:` TXA-12 or `filler:` OBR-3."""
    replaces_id: str
    """The document it takes the place of, "" for none or for the one of the same id."""
    final: bool
    authenticated: bool
    """Whether the sender says that somebody validated it there (TXA-17). It is not a signature here."""
    patient: PatientClaim
    exam: ExamClaim
    author: AuthorClaim
    correspondents: tuple[Correspondent, ...]
    body: Body
    choices: Mapping[str, bool]
    """Visibility asked for by the indicators of the message."""
    relayed: bool = False
    """A document of a correspondent that a hospital relays from its mail (spec/hl7v2.md §4.4)."""
    remarks: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All by which another message about the same report would call it."""
        exam = self.exam.accession_number or self.exam.placer_number
        return tuple(filter(None, (self.document_id, self.replaces_id, exam and f"exam:{exam}")))


class Unfit(Exception):  # noqa: N818 - read as "raise Unfit"
    """A received report cannot be taken over as it is. `reason` is a code of `reasons.py`; no value is in it."""

    def __init__(self, reason: str, *remarks: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remarks = remarks
        self.report: ReceivedReport | None = None
        """What the message says all the same when its body cannot be read; it has none then."""
