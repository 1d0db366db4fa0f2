"""What a radiologist writes: the typed content of an imaging report.

Codes are checked against the tables of `navette_documents`; errors name the field and the rule.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from navette_contracts.events import RecipientRole
from navette_documents.codes import MODALITIES, REGIONS, SPECIALTIES
from navette_documents.identifiers import parse_finess, parse_oid, parse_rpps
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from navette_report.domain.repertoire import clean, is_printable


def _line(value: str) -> str:
    value = " ".join(clean(value).split(" ")).strip()
    if not value:
        raise ValueError("empty")
    if not is_printable(value):
        raise ValueError("unprintable_character")
    return value


def _prose(value: str) -> str:
    value = clean(value).strip()
    if not is_printable(value, lines=True):
        raise ValueError("unprintable_character")
    return value


def _modality(value: str) -> str:
    if value not in MODALITIES:
        raise ValueError("unknown_modality")
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError("unknown_region")
    return value


def _specialty(value: str) -> str:
    if value not in SPECIALTIES:
        raise ValueError("unknown_specialty")
    return value


Line = Annotated[str, Field(max_length=200), AfterValidator(_line)]
"""One line of printable text."""
Prose = Annotated[str, Field(max_length=60_000), AfterValidator(_prose)]
"""Paragraphs: lines; an empty line separates, "- " opens an item of a list."""
Identifier = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")]
"""Identifier given by another system (accession number, order number): visible ASCII, at most 64."""
RecipientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]


class Strict(BaseModel):
    """A frozen part of a report: unknown fields refused, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Civility(StrEnum):
    """JDV_J245."""

    M = "M"
    MME = "MME"


class Title(StrEnum):
    """JDV_J246, the title goes to the suffix of a name."""

    DR = "DR"
    PR = "PR"
    MC = "MC"
    MG = "MG"
    PC = "PC"
    PG = "PG"


class Laterality(StrEnum):
    """Side of the body. Kept for the structured body; printed in the PDF."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"


class Act(Strict):
    """One imaging act that was done."""

    loinc_code: Annotated[str, Field(pattern=r"^\d{1,5}-\d$")]
    """Code of jdv-code-document-imagerie-cisis."""
    loinc_label: Line
    ccam_code: Annotated[str, Field(pattern=r"^[A-Z]{4}\d{3}$")] | None = None
    ccam_label: Line | None = None
    modality: Annotated[str, AfterValidator(_modality)]
    region: Annotated[str, AfterValidator(_region)]
    laterality: Laterality | None = None

    @model_validator(mode="after")
    def _ccam_named(self) -> Self:
        if (self.ccam_code is None) != (self.ccam_label is None):
            raise ValueError("ccam_code_and_label_go_together")
        return self


class Exam(Strict):
    """The examination reported on. Times are aware."""

    accession_number: Identifier
    order_placer_number: Identifier | None = None
    """None when there was no electronic request."""
    study_instance_uid: Annotated[str, AfterValidator(lambda v: parse_oid(v, field="study_instance_uid"))]
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ended_before_it_started")
        return self


class Correspondent(Strict):
    """A professional the report goes to: the requester, or somebody who gets a copy."""

    recipient_id: RecipientId
    role: Annotated[RecipientRole, Field(validate_default=True)] = RecipientRole.COPY
    family_name: Line
    given_name: Line | None = None
    civility: Civility | None = None
    title: Title | None = None
    rpps: Annotated[str, AfterValidator(parse_rpps)] | None = None
    finess: Annotated[str, AfterValidator(parse_finess)] | None = None
    specialty: Annotated[str, AfterValidator(_specialty)] | None = None
    organization: Line | None = None
    mss_address: Annotated[str, Field(pattern=r"^[^@\s<>]{1,64}@[A-Za-z0-9.-]{1,190}$")] | None = None
    phone: Annotated[str, Field(pattern=r"^\+?\d{10,14}$")] | None = None

    @model_validator(mode="after")
    def _professional(self) -> Self:
        if self.role not in (RecipientRole.REQUESTER, RecipientRole.COPY):
            raise ValueError("role_of_a_professional")
        if self.rpps is None and self.finess is None:
            raise ValueError("rpps_or_finess_required")
        return self

    @property
    def display_name(self) -> str:
        """Name as it is printed, title first: "Dr Prénom NOM"."""
        titles = {Title.DR: "Dr", Title.PR: "Pr"}
        words = [titles.get(self.title, "") if self.title else "", self.given_name or "", self.family_name]
        return " ".join(word for word in words if word)


class ReportContent(Strict):
    """All that a draft holds. Findings and conclusion are required before signature, not before."""

    title: Line
    indication: Prose = ""
    technique: Prose = ""
    comparison: Prose = ""
    findings: Prose = ""
    conclusion: Prose = ""
    acts: Annotated[tuple[Act, ...], Field(min_length=1, max_length=10)]
    exam: Exam
    correspondents: Annotated[tuple[Correspondent, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _recipients_told_apart(self) -> Self:
        ids = [one.recipient_id for one in self.correspondents]
        if len(ids) != len(set(ids)) or "patient" in ids or "dmp" in ids:
            raise ValueError("recipient_ids_must_differ_and_not_be_reserved")
        if sum(one.role is RecipientRole.REQUESTER for one in self.correspondents) > 1:
            raise ValueError("one_requester_at_most")
        return self

    @property
    def requester(self) -> Correspondent | None:
        """Who asked for the examination, None when nobody did (screening, emergency)."""
        for one in self.correspondents:
            if one.role is RecipientRole.REQUESTER:
                return one
        return None
