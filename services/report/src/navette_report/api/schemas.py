"""What the API takes and gives. Answers never hold a matricule, nor the patient's name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from navette_report.api import french, french_findings
from navette_report.domain.acts import offered
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Strict
from navette_report.domain.journey import JourneyLine
from navette_report.domain.origin import Origin
from navette_report.domain.report import Report, Version
from navette_report.use_cases.read_reports import Followed

OpaqueId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class NewReport(Strict):
    """A draft to write."""

    patient_id: OpaqueId
    site_id: OpaqueId
    content: ReportContent
    model: Annotated[str, Field(max_length=64)] | None = None
    """Report model of the site; it may preset choices."""


class Answer(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class LineAnswer(Answer):
    """One recipient by one channel."""

    version: int
    kind: str
    channel: str
    recipient_id: str
    role: str
    recipient: str
    carrier: str | None
    state: str
    state_label: str
    reason: str | None
    reason_label: str
    who_must_act: str
    since: datetime
    times: dict[str, datetime]

    @classmethod
    def of(cls, line: JourneyLine) -> Self:
        """The answer for a line."""
        return cls(
            version=line.version,
            kind=line.kind,
            channel=line.channel,
            recipient_id=line.recipient_id,
            role=line.role,
            recipient=french.recipient(line),
            carrier=line.carrier,
            state=line.shown.state,
            state_label=french.line_state(line),
            reason=line.shown.reason,
            reason_label=french.reason(line),
            who_must_act=line.shown.who_must_act,
            since=line.shown.at,
            times={state.value: at for state, at in line.times.items()},
        )


class EditionAnswer(Answer):
    """One document made of a version."""

    document_id: str
    unique_id: str
    set_id: str
    version_number: int
    level: str
    ins_qualified: bool
    audience: list[str]
    composed_at: datetime
    pdf_sha256: str
    cda_sha256: str


class ChoiceAnswer(Answer):
    """One choice about the document, who made it and when."""

    name: str
    value: bool
    by: str
    at: datetime


class ProposalAnswer(Answer):
    """Who decided, and when, whose agreement is needed: RPPS numbers."""

    by: str
    at: datetime
    co_readers: list[str]


class VersionAnswer(Answer):
    """One version of the chain."""

    version: int
    state: str
    state_label: str
    signed_at: datetime | None
    signed_by_rpps: str | None
    announced_at: datetime | None
    withdrawn_at: datetime | None
    co_readers: list[str]
    missing_agreements: list[str]
    proposals: list[ProposalAnswer]
    choices: list[ChoiceAnswer]
    unique_ids: list[str]

    @classmethod
    def of(cls, version: Version) -> Self:
        """The answer for a version."""
        signature = version.signature
        return cls(
            version=version.number,
            state=version.state,
            state_label=french.REPORT_STATES[version.state],
            signed_at=None if signature is None else signature.signed_at,
            signed_by_rpps=None if signature is None else signature.signatory.rpps,
            announced_at=None if version.announcement is None else version.announcement.at,
            withdrawn_at=None if version.withdrawal is None else version.withdrawal.at,
            co_readers=list(version.co_readers),
            missing_agreements=list(version.missing_agreements),
            proposals=[
                ProposalAnswer(by=one.by_rpps, at=one.at, co_readers=list(one.co_readers)) for one in version.proposals
            ],
            choices=[ChoiceAnswer(**one.model_dump()) for one in version.choices],
            unique_ids=[edition.reference.unique_id for edition in version.editions],
        )


class OfferAnswer(Answer):
    """An act that would be accepted now, and whose it is."""

    act: str
    label: str
    who: str


class ReportAnswer(Answer):
    """A report without its text."""

    report_id: str
    patient_id: str
    site_id: str
    version: int
    state: str
    state_label: str
    title: str
    accession_number: str
    signed_at: datetime | None
    signed_by_rpps: str | None
    created_at: datetime
    updated_at: datetime
    editions: list[EditionAnswer]
    findings: list[dict[str, str]]
    """Why the document of the validated version is held: rule, path, and `label` in French."""
    versions: list[VersionAnswer]
    offers: list[OfferAnswer]
    origin: Origin | None
    """Where the text of this version came from, when it was received from another system."""
    warnings: list[str]
    """What the author should look at before validation, in French."""

    @classmethod
    def of(cls, report: Report) -> Self:
        """The answer for a report."""
        version, signature = report.current, report.current.signature
        return cls(
            report_id=report.report_id,
            patient_id=report.patient_id,
            site_id=report.site_id,
            version=version.number,
            state=version.state,
            state_label=french.REPORT_STATES[version.state],
            title=version.content.title,
            accession_number=version.content.exam.accession_number,
            signed_at=None if signature is None else signature.signed_at,
            signed_by_rpps=None if signature is None else signature.signatory.rpps,
            created_at=report.created_at,
            updated_at=report.updated_at,
            editions=[
                EditionAnswer(
                    document_id=one.reference.document_id,
                    unique_id=one.reference.unique_id,
                    set_id=one.reference.set_id,
                    version_number=one.reference.version_number,
                    level=one.reference.level,
                    ins_qualified=one.ins_qualified,
                    audience=[party.value for party in one.audience],
                    composed_at=one.composed_at,
                    pdf_sha256=one.reference.pdf_sha256,
                    cda_sha256=one.reference.cda_sha256,
                )
                for one in version.editions
            ],
            findings=[
                one.model_dump() | {"label": french_findings.finding(one)}
                for one in (report.validated or version).findings
            ],
            versions=[VersionAnswer.of(one) for one in report.versions],
            origin=version.origin,
            offers=[
                OfferAnswer(act=offer, label=french.OFFERS[offer], who=who.value) for offer, who in offered(report)
            ],
            warnings=[french.RULES["dose_missing"]] if report.draft and version.content.dose_missing else [],
        )


class FullReportAnswer(ReportAnswer):
    """A report with its text."""

    content: ReportContent

    @classmethod
    def of(cls, report: Report) -> Self:
        """The answer for a report and its content."""
        return cls(**ReportAnswer.of(report).model_dump(), content=report.current.content)


class JourneyAnswer(Answer):
    """A report and where it is: the lines of its last version with lines, and those of the versions before."""

    report: ReportAnswer
    lines: list[LineAnswer]
    former_lines: list[LineAnswer]

    @classmethod
    def of(cls, followed: Followed) -> Self:
        """The answer for a report and its lines."""
        return cls(
            report=ReportAnswer.of(followed.report),
            lines=[LineAnswer.of(line) for line in followed.lines],
            former_lines=[LineAnswer.of(line) for line in followed.former],
        )


class ReportList(Answer):
    """Reports, last changed first."""

    reports: list[JourneyAnswer]
    next: str | None
    """Link to the next part of the list, relative to the address that was asked; null at its end."""
