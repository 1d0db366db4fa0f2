"""A CDA inside a message: is it about the same patient, what it adds about the examination, and its PDF."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from datetime import datetime, tzinfo

from navette_documents.cda_header import NAMESPACE, read_header
from navette_documents.cda_model import ActHeader, CdaHeader, OrderHeader, PatientHeader
from navette_documents.errors import InvalidValue
from navette_documents.xml import XmlRefused, parse_xml

from navette_report.domain.intake.claims import (
    ExamClaim,
    Form,
    PatientClaim,
    ReceivedReport,
    Unfit,
    other_requests,
)
from navette_report.domain.intake.moments import moment_of
from navette_report.domain.intake.plain import plain

_TOO_MUCH = frozenset({"size", "depth", "nodes"})


def opened(report: ReceivedReport, *, zone: tzinfo) -> ReceivedReport:
    """The report with what its CDA adds; unchanged when it has none. The message is believed before the document.

    Raises Unfit: no CDA at all, or one about somebody else (spec/hl7v2.md §10.4).
    """
    if report.body.form is not Form.CDA:
        return report
    try:
        header = read_header(report.body.original)
        pdf = _pdf(report.body.original)
    except XmlRefused as refused:
        raise Unfit("document_too_complex" if refused.rule in _TOO_MUCH else "document_unreadable") from None
    except InvalidValue:
        raise Unfit("document_unreadable") from None
    if not _same_patient(header.patient, report.patient):
        raise Unfit("cda_patient_differs")
    body = replace(report.body, form=Form.PDF, original=pdf) if pdf.startswith(b"%PDF-") else report.body
    return replace(report, body=body, exam=_completed(report.exam, header, zone))


def _same_patient(patient: PatientHeader, claim: PatientClaim) -> bool:
    numbers = {one.extension for one in patient.ids if one.extension}
    ins = patient.ins
    contradicted = ins is not None and bool(claim.matricule) and ins.extension != claim.matricule
    same_name = not claim.birth_name or plain(patient.birth_name) == plain(claim.birth_name)
    same_date = not claim.birth_date or patient.birth_date[:8] == claim.birth_date.replace("-", "")
    same_sex = not claim.sex or patient.gender in ("UN", claim.sex)
    same = not contradicted and same_name and same_date and same_sex and _same_given_name(patient, claim)
    return same and bool(numbers & claim.all_ids)


def _same_given_name(patient: PatientHeader, claim: PatientClaim) -> bool:
    """Twins share the rest, and the number of the parent who insures them. Some write one name, some the whole list."""
    told = [plain(one) for one in (claim.given_name, claim.given_names) if one]
    known = [plain(one) for one in (patient.first_birth_given_name, patient.birth_given_names) if one]
    begins = ((f"{one} ", f"{other} ") for one in told for other in known)
    return not told or any(one.startswith(other) or other.startswith(one) for one, other in begins)


def _completed(exam: ExamClaim, header: CdaHeader, zone: tzinfo) -> ExamClaim:
    orders = [_numbers(order) for order in header.orders]
    accession, placer = orders[0] if orders else ("", "")
    first = (exam.accession_number or accession, exam.placer_number or placer)
    act = header.acts[0] if header.acts else None
    return replace(
        exam,
        accession_number=first[0],
        placer_number=first[1],
        further=exam.further or other_requests(orders if first in orders else orders[1:], *first),
        study_instance_uid=exam.study_instance_uid or (act.study_uid if act else None) or "",
        started_at=exam.started_at or _start(act, zone),
        codes=exam.codes + _codes(act),
        modality=exam.modality or (act.modalities[0].code if act and act.modalities else ""),
    )


def _numbers(order: OrderHeader) -> tuple[str, str]:
    """Accession number and order placer number of one request, "" for what is not said."""
    accession, placer = order.accession, order.order_id
    return (accession.extension if accession else None) or "", (placer.extension if placer else None) or ""


def _codes(act: ActHeader | None) -> tuple[str, ...]:
    return () if act is None else tuple(code.code for code in (act.code, act.ccam) if code is not None)


def _start(act: ActHeader | None, zone: tzinfo) -> datetime | None:
    return None if act is None or act.start is None else moment_of(act.start, zone)


def _pdf(cda: bytes) -> bytes:
    """The document of a level 1 body, b"" for a structured one."""
    text = parse_xml(cda).findtext(f"{{{NAMESPACE}}}component/{{{NAMESPACE}}}nonXMLBody/{{{NAMESPACE}}}text")
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except binascii.Error:
        return b""
