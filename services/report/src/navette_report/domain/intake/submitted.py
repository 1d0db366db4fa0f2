"""A received report as a program submits it by REST: in our terms, matched by the same rules as a message."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from navette_documents.identifiers import INS_OIDS, is_valid_matricule, parse_oid, parse_rpps
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from navette_report.domain.content import Correspondent
from navette_report.domain.fields import Identifier, Line, Prose, Strict
from navette_report.domain.imaging import Act
from navette_report.domain.intake.bodies import decoded
from navette_report.domain.intake.claims import (
    AuthorClaim,
    Body,
    Doing,
    ExamClaim,
    Form,
    PatientClaim,
    ReceivedReport,
    Unfit,
)
from navette_report.domain.intake.moments import is_plausible
from navette_report.domain.intake.sections import cut
from navette_report.domain.intake.senders import Name, Source

Words = Annotated[str, Field(min_length=1, max_length=200)]


def _matricule(value: str) -> str:
    if not is_valid_matricule(value):
        raise ValueError("key_or_format")
    return value


def _ins_oid(value: str) -> str:
    if value not in INS_OIDS:
        raise ValueError("unknown_authority")
    return value


def _plausible(value: datetime) -> datetime:
    if not is_plausible(value):
        raise ValueError("implausible_date")
    return value


class Status(StrEnum):
    """What the sender says of the report."""

    PRELIMINARY = "preliminary"
    FINAL = "final"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"


class SubmittedIns(Strict):
    """A validated INS."""

    matricule: Annotated[str, AfterValidator(_matricule)]
    oid: Annotated[str, AfterValidator(_ins_oid)]


class SubmittedPatient(Strict):
    """Who the report is about: a number of the site, or a validated INS, and the traits."""

    local_id: Identifier | None = None
    ins: SubmittedIns | None = None
    birth_name: Words
    first_birth_given_name: Words
    birth_given_names: Words | None = None
    birth_date: date
    sex: Annotated[str, Field(pattern=r"^[MF]$")] | None = None
    birth_place_code: Annotated[str, Field(pattern=r"^[0-9AB]{5}$")] | None = None

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if self.local_id is None and self.ins is None:
            raise ValueError("local_id_or_ins_required")
        return self


class SubmittedExam(Strict):
    """The examination; what a draft already says of it need not be repeated."""

    accession_number: Identifier
    order_placer_number: Identifier | None = None
    study_instance_uid: Annotated[str, AfterValidator(lambda v: parse_oid(v, field="study_instance_uid"))] | None = None
    started_at: Annotated[AwareDatetime, AfterValidator(_plausible)] | None = None
    title: Line | None = None
    acts: Annotated[tuple[Act, ...], Field(max_length=10)] = ()


class SubmittedReport(Strict):
    """`POST /intake/reports`."""

    site_id: Annotated[str, Field(min_length=1, max_length=128)]
    source: Name
    """Name of the sending system."""
    document_id: Identifier
    replaces_document_id: Identifier | None = None
    status: Status = Status.FINAL
    authenticated: bool = False
    patient: SubmittedPatient
    exam: SubmittedExam
    author_rpps: Annotated[str, AfterValidator(parse_rpps)] | None = None
    author_name: Line | None = None
    correspondents: Annotated[tuple[Correspondent, ...], Field(max_length=20)] = ()
    text: Prose = ""
    """In one piece; cut at its headings."""
    pdf: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=\s]*$")] = ""
    """Base64."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if bool(self.text) == bool(self.pdf) and self.status is not Status.CANCELLED:
            raise ValueError("either_text_or_pdf")
        return self


def opened(raw: bytes, *, name: str) -> tuple[ReceivedReport, Source]:
    """A stored submission as a received report. Raises Unfit for a document that cannot be read."""
    given = SubmittedReport.model_validate_json(raw)
    patient, exam, ins = given.patient, given.exam, given.patient.ins
    body, remarks = _body(given)
    report = ReceivedReport(
        doing={Status.CORRECTED: Doing.CORRECT, Status.CANCELLED: Doing.CANCEL}.get(given.status, Doing.FILE),
        document_id=f"document:{given.document_id}",
        replaces_id=f"document:{given.replaces_document_id}" if given.replaces_document_id else "",
        final=given.status is not Status.PRELIMINARY,
        authenticated=given.authenticated,
        patient=PatientClaim(
            local_id=patient.local_id or "",
            matricule=ins.matricule if ins else "",
            ins_oid=ins.oid if ins else "",
            birth_name=patient.birth_name,
            given_name=patient.first_birth_given_name,
            given_names=patient.birth_given_names or "",
            birth_date=patient.birth_date.isoformat(),
            sex=patient.sex or "",
            birth_place_code=patient.birth_place_code or "",
        ),
        exam=ExamClaim(
            accession_number=exam.accession_number,
            placer_number=exam.order_placer_number or "",
            study_instance_uid=exam.study_instance_uid or "",
            started_at=exam.started_at,
            codes=(),
            label=exam.title or "",
            modality="",
            acts=exam.acts,
        ),
        author=AuthorClaim(given.author_rpps or "", "", given.author_name or ""),
        correspondents=given.correspondents,
        body=body,
        choices={},
        remarks=remarks,
    )
    return report, Source(name, given.site_id, {}, author_required=True)


def _body(given: SubmittedReport) -> tuple[Body, tuple[str, ...]]:
    if given.pdf:
        data = decoded(given.pdf)
        if not data.lstrip().startswith(b"%PDF-"):
            raise Unfit("document_unreadable")
        return Body(Form.PDF, original=data), ("text_to_write",)
    sections = cut(given.text)
    if not sections:
        return Body(Form.NONE), ()
    return Body(Form.TEXT, sections), () if sections.get("conclusion") else ("text_to_write",)
