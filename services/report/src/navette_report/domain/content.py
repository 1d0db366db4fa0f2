"""What a radiologist writes: the typed content of an imaging report.

Codes are checked against the tables of `navette_documents`; errors name the field and the rule.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from navette_contracts.events import RecipientRole
from navette_documents.codes import SPECIALTIES
from navette_documents.identifiers import parse_finess, parse_rpps
from navette_documents.imaging_codes import CONTRAINDICATIONS
from pydantic import AfterValidator, Field, model_validator

from navette_report.domain.fields import Identifier, Line, Moment, Prose, RecipientId, Strict, StudyUid
from navette_report.domain.imaging import Act, Laterality

__all__ = [
    "Act",
    "Civility",
    "Correspondent",
    "Exam",
    "ImagingRequest",
    "Laterality",
    "Line",
    "Prose",
    "ReportContent",
    "ResponsibleDoctor",
    "Strict",
    "Teleradiology",
    "Title",
]


def _specialty(value: str) -> str:
    if value not in SPECIALTIES:
        raise ValueError("unknown_specialty")
    return value


def _contraindication(value: str) -> str:
    if value not in CONTRAINDICATIONS:
        raise ValueError("unknown_contraindication")
    return value


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


class ImagingRequest(Strict):
    """One request that the report answers: the number the RIS gave it, and the one of who asked."""

    accession_number: Identifier
    order_placer_number: Identifier | None = None
    """None when there was no electronic request."""


class Exam(ImagingRequest):
    """The examination reported on, with the numbers of its first request. Times are aware."""

    further_requests: Annotated[tuple[ImagingRequest, ...], Field(max_length=20)] = ()
    """The others, when one report answers several requests (DB/RIS.08)."""
    study_instance_uid: StudyUid
    started_at: Moment
    ended_at: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ended_before_it_started")
        return self

    @model_validator(mode="after")
    def _requests_told_apart(self) -> Self:
        numbers = [(one.accession_number, one.order_placer_number) for one in self.requests]
        if len(numbers) != len(set(numbers)):
            raise ValueError("request_named_twice")
        return self

    @property
    def requests(self) -> tuple[ImagingRequest, ...]:
        """All requests, the first one first."""
        first = ImagingRequest(accession_number=self.accession_number, order_placer_number=self.order_placer_number)
        return (first, *self.further_requests)

    @property
    def accession_numbers(self) -> tuple[str, ...]:
        """Each accession number once."""
        return tuple(dict.fromkeys(one.accession_number for one in self.requests))

    @property
    def order_placer_numbers(self) -> tuple[str, ...]:
        """Each order placer number once."""
        return tuple(dict.fromkeys(one.order_placer_number for one in self.requests if one.order_placer_number))


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
    treating_physician: bool = False
    """Whether this is the patient's *médecin traitant*."""

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


class ResponsibleDoctor(Strict):
    """The doctor who answers for the examination at the site that received the patient."""

    rpps: Annotated[str, AfterValidator(parse_rpps)]
    family_name: Line
    given_name: Line | None = None
    civility: Civility | None = None
    specialty: Annotated[str, AfterValidator(_specialty)] = "G15_10/SM44"

    @property
    def display_name(self) -> str:
        """ "Dr Prénom NOM"."""
        return " ".join(word for word in ("Dr", self.given_name, self.family_name) if word)


class Teleradiology(Strict):
    """An examination read elsewhere: two authors, and the responsible doctor answers for the document."""

    responsible: ResponsibleDoctor
    reader_organization: Line
    """Where the radiologist who signs works."""
    reader_finess: Annotated[str, AfterValidator(parse_finess)]


class ReportContent(Strict):
    """All that a draft holds. Findings and conclusion are required before signature, not before."""

    title: Line
    indication: Prose = ""
    medical_history: Prose = ""
    surgical_history: Prose = ""
    contraindications: Annotated[
        tuple[Annotated[str, AfterValidator(_contraindication)], ...], Field(max_length=22)
    ] = ()
    """Codes of CONTRAINDICATIONS; empty when none is known."""
    technique: Prose = ""
    comparison: Prose = ""
    findings: Prose = ""
    conclusion: Prose = ""
    acts: Annotated[tuple[Act, ...], Field(min_length=1, max_length=10)]
    exam: Exam
    screening: bool = False
    """Whether the examination was asked for as a screening."""
    teleradiology: Teleradiology | None = None
    correspondents: Annotated[tuple[Correspondent, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _recipients_told_apart(self) -> Self:
        ids = [one.recipient_id for one in self.correspondents]
        if len(ids) != len(set(ids)) or "patient" in ids or "dmp" in ids:
            raise ValueError("recipient_ids_must_differ_and_not_be_reserved")
        if sum(one.role is RecipientRole.REQUESTER for one in self.correspondents) > 1:
            raise ValueError("one_requester_at_most")
        return self

    @model_validator(mode="after")
    def _study_of_an_act(self) -> Self:
        # The header names studies act by act: one that no act belongs to would be left out of it.
        if self.exam.study_instance_uid not in self.studies:
            raise ValueError("study_of_no_act")
        return self

    def study_of(self, act: Act) -> str:
        """Study Instance UID of the images of one act."""
        return act.study_instance_uid or self.exam.study_instance_uid

    @property
    def studies(self) -> tuple[str, ...]:
        """Study Instance UIDs of all acts, each once."""
        return tuple(dict.fromkeys(self.study_of(act) for act in self.acts))

    @property
    def dose_missing(self) -> bool:
        """Whether an irradiating act says nothing of its dose."""
        return any(act.dose_missing for act in self.acts)

    def without_dose(self) -> Self:
        """The same, with each missing dose said not to be available."""
        acts = [act.model_copy(update={"dose_unavailable": True}) if act.dose_missing else act for act in self.acts]
        return self.model_copy(update={"acts": tuple(acts)})

    @property
    def requester(self) -> Correspondent | None:
        """Who asked for the examination, None when nobody did (screening, emergency)."""
        for one in self.correspondents:
            if one.role is RecipientRole.REQUESTER:
                return one
        return None
