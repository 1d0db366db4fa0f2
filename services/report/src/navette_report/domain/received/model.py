"""A received document: where it comes from, whose it is, and what became of it since (CDA/DD.*, CDA/INT.*)."""

from __future__ import annotations

from datetime import datetime, tzinfo
from enum import StrEnum

from navette_documents.cda_header import read_header
from navette_documents.cda_model import CdaHeader, InstanceId
from navette_documents.errors import InvalidValue
from navette_documents.hl7dates import parse_ts
from navette_documents.xml import XmlRefused
from pydantic import AwareDatetime

from navette_report.domain.fields import Strict
from navette_report.domain.intake.claims import PatientClaim, Unfit

_SEX = {"M": "M", "F": "F"}
_LONGEST = 256
"""Characters of an identifier or code; real ones have fewer than 130."""


class Origin(StrEnum):
    """Which way it came (CDA/INT.08: shown without a click)."""

    DMP = "dmp"
    MSS = "mss"
    FILE = "file"
    """Brought by a person: a disc, a key, an archive."""


class Standing(StrEnum):
    """Where a document stands."""

    TO_FILE = "to_file"
    """Kept; not certain whose it is. Somebody must act."""
    FILED = "filed"
    FORMER = "former"
    """Filed, and a person took note that a newer version took its place. Stays readable."""
    ANNULLED = "annulled"
    """Filed, and a person took note that its author deleted it. Stays readable."""
    SET_ASIDE = "set_aside"
    """A person decided that it is not filed here."""


HIDDEN_FROM = ("hidden_from_patient", "hidden_from_representatives")
"""Whom an author may hide a document from; what is hidden from professionals is not received at all."""
IN_FILE = (Standing.FILED, Standing.FORMER, Standing.ANNULLED)
"""What the file of the patient shows."""


class News(StrEnum):
    """What its source says of a document since it was filed."""

    NEWER = "newer"
    DELETED = "deleted"


class Decision(Strict):
    """What a person decided about a document."""

    what: str
    by: str
    at: AwareDatetime


class Summary(Strict):
    """What a list shows and the rules compare. Names the patient: always kept sealed."""

    title: str
    type_label: str
    author: str
    organisation: str
    local_ids: tuple[str, ...]
    """Numbers of the patient in the document that are not an INS: `root^extension`."""
    ins_oid: str
    """"" when the document carries no INS."""
    matricule: str
    birth_name: str
    first_birth_given_name: str
    """"" when only the list of given names is written."""
    birth_given_names: str
    birth_date: str
    """YYYY-MM-DD, "" when it is not a full date."""
    sex: str
    """M or F, "" for any other value."""
    birth_place_code: str

    def __repr__(self) -> str:
        return "Summary()"

    @property
    def claim(self) -> PatientClaim:
        """Whose document it says it is, as the rules of matching read it."""
        return PatientClaim(
            local_id="",
            matricule=self.matricule,
            ins_oid=self.ins_oid,
            birth_name=self.birth_name,
            given_name=self.first_birth_given_name,
            given_names=self.birth_given_names,
            birth_date=self.birth_date,
            sex=self.sex,
            birth_place_code=self.birth_place_code,
        )


class Received(Strict):
    """A received document without its content: nothing here names the patient."""

    document_id: str
    domain: str
    """Identity domain of the site that received it: documents are shared as identities are (ADR 0011)."""
    site_id: str
    origin: Origin
    unique_id: str
    """ClinicalDocument/id, `root` or `root^extension`."""
    set_id: str
    version_number: int | None
    replaces: tuple[str, ...]
    type_code: str
    authored_at: AwareDatetime
    level: str
    received_at: AwareDatetime
    size: int
    """Bytes of the CDA."""
    digest: str
    styled: bool
    """Whether its sender's style sheet came with it (CDA/INT.15)."""
    hidden_from: tuple[str, ...] = ()
    """Whom its author hides it from: `hidden_from_patient`, `hidden_from_representatives`."""
    patient_id: str | None = None
    standing: Standing = Standing.TO_FILE
    reason: str | None = None
    """Why it is not filed; None once it is."""
    awaits: tuple[str, ...] = ()
    """Tokens of the identity that would let it be filed."""
    news: News | None = None
    """Not decided upon yet."""
    newer_id: str | None = None
    """Our id of the newer version, when we have it."""
    decisions: tuple[Decision, ...] = ()


def read_document(cda: bytes) -> CdaHeader:
    """The header of a received CDA. Raises Unfit for XML that is hostile or no clinical document.

    The remark of Unfit names the rule of the XML, or the path of the element that is missing or wrong.
    """
    try:
        header = read_header(cda)
    except XmlRefused as refused:
        raise Unfit("document_unreadable", f"xml_{refused.rule}") from None
    except InvalidValue as invalid:
        raise Unfit("document_unreadable", invalid.field) from None
    names = {"id": id_text(header.id), "setId": id_text(header.set_id), "code": header.code.code}
    too_long = next((path for path, value in names.items() if len(value) > _LONGEST), None)
    if too_long is not None:
        raise Unfit("document_unreadable", too_long)
    return header


def authored_at(header: CdaHeader, zone: tzinfo) -> datetime:
    """When its author made it. Raises Unfit for what is no date."""
    try:
        return parse_ts(header.effective_time, default_zone=zone)
    except InvalidValue:
        raise Unfit("document_unreadable", "effectiveTime") from None


def summary_of(header: CdaHeader) -> Summary:
    """What the header says, in our words."""
    patient, author, ins = header.patient, header.authors[0], header.patient.ins
    organisation = author.organisation or header.custodian
    return Summary(
        title=header.title,
        type_label=header.code.display,
        author=" ".join(filter(None, (author.given, author.family))),
        organisation=(organisation.name or "") if organisation is not None else "",
        local_ids=tuple(id_text(one) for one in patient.ids if one != ins),
        ins_oid=ins.root if ins is not None else "",
        matricule=(ins.extension or "") if ins is not None else "",
        birth_name=patient.birth_name,
        first_birth_given_name=patient.first_birth_given_name or "",
        birth_given_names=patient.birth_given_names,
        birth_date=_day(patient.birth_date),
        sex=_SEX.get(patient.gender, ""),
        birth_place_code=patient.birth_place_code or "",
    )


def id_text(one: InstanceId | None) -> str:
    """An instance identifier as one text, "" for none."""
    return "" if one is None else "^".join(filter(None, (one.root, one.extension)))


def _day(value: str) -> str:
    day = value[:8]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isascii() and day.isdigit() else ""
