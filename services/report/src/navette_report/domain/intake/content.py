"""From a received report to the content of a draft: its own words, in our terms."""

from __future__ import annotations

from collections.abc import Mapping

from navette_contracts.events import RecipientRole
from pydantic import ValidationError

from navette_report.domain.content import Correspondent, ReportContent
from navette_report.domain.intake.claims import ExamClaim, ReceivedReport, Unfit
from navette_report.domain.intake.senders import KnownExam

FIELDS = ("indication", "medical_history", "technique", "comparison", "findings", "conclusion")


def new_content(report: ReceivedReport, exams: Mapping[str, KnownExam]) -> ReportContent:
    """The content of a first draft. Raises Unfit for an examination that is not known well enough."""
    exam = report.exam
    known = _known(exam, exams)
    missing = {
        "accession_missing": not exam.accession_number,
        "exam_not_mapped": known is None,
        "exam_date_missing": exam.started_at is None,
        "study_uid_missing": not exam.study_instance_uid,
    }
    reason = next((code for code, is_missing in missing.items() if is_missing), None)
    if reason is not None or known is None:
        raise Unfit(reason or "exam_not_mapped")
    fields: dict[str, object] = {
        "title": known.title,
        "acts": known.acts,
        "exam": {
            "accession_number": exam.accession_number,
            "order_placer_number": exam.placer_number or None,
            "further_requests": [
                {"accession_number": accession, "order_placer_number": placer or None}
                for accession, placer in exam.further
            ],
            "study_instance_uid": exam.study_instance_uid,
            "started_at": exam.started_at,
        },
        "correspondents": report.correspondents,
    }
    return _checked(fields | dict(report.body.sections))


def filled(content: ReportContent, report: ReceivedReport) -> ReportContent:
    """A content with the words of the report in it; examination and acts stay. Raises Unfit."""
    texts = {name: report.body.sections.get(name, "") or getattr(content, name) for name in FIELDS}
    return _checked(dict(content) | texts | {"correspondents": _together(content, report)})


def replaced(content: ReportContent, report: ReceivedReport) -> ReportContent:
    """A content whose words are those of the report and no others. Raises Unfit."""
    texts = {name: report.body.sections.get(name, "") for name in FIELDS}
    return _checked(dict(content) | texts | {"correspondents": _together(content, report)})


def is_empty(content: ReportContent) -> bool:
    """Whether nobody wrote the report yet: the examination is known, its result is not."""
    return not content.findings and not content.conclusion


def _known(exam: ExamClaim, exams: Mapping[str, KnownExam]) -> KnownExam | None:
    if exam.acts:
        return KnownExam(title=exam.label or exam.acts[0].loinc_label, acts=exam.acts)
    keys = (*exam.codes, f"modality:{exam.modality}")
    return next((exams[key] for key in keys if key in exams), None)


def _together(content: ReportContent, report: ReceivedReport) -> tuple[Correspondent, ...]:
    """Those the draft names, then those the message adds; the draft's requester stays the requester."""
    numbers = {one.rpps for one in content.correspondents}
    added = [one for one in report.correspondents if one.rpps not in numbers]
    if content.requester is not None:
        added = [one.model_copy(update={"role": RecipientRole.COPY}) for one in added]
    return (*content.correspondents, *added)


def _checked(fields: dict[str, object]) -> ReportContent:
    try:
        return ReportContent.model_validate(fields)
    except ValidationError as broken:
        names = {".".join(str(part) for part in error["loc"][:2]) for error in broken.errors(include_input=False)}
        raise Unfit("content_not_acceptable", *sorted(filter(None, names))) from None
