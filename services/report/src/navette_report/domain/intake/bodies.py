"""The report inside a message: lines of text, PDF, CDA, RTF or a mere address (spec/hl7v2.md §4.3, §10)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from navette_documents.hl7v2 import Message, Segment
from navette_documents.hl7v2.escapes import unescape

from navette_report.domain.intake.claims import Body, Form, Unfit
from navette_report.domain.intake.rtf import MARK, TooDeep, text_of_rtf
from navette_report.domain.intake.sections import cut

INDICATORS = frozenset(
    (
        *("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "INVISIBLE_REPRESENTANTS_LEGAUX"),
        *("INVISIBLE_REPRENSANTS_LEGAUX", "CONNEXION_SECRETE", "MODIF_CONF_CODE", "MODIF_CONFIDENTIALITYCODE"),
        *("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT", "ACK_RECEPTION", "ACK_LECTURE_MSS", "ACK_LECTURE"),
        *("CORPSMAIL_PS", "CORPSMAIL_PATIENT", "COMP_LOT"),
    )
)
"""OBX that say how to distribute a document, not what it says; old names included."""
STUDY = "113014"
"""DCM code of the OBX that carries the Study Instance UID (IHE)."""
_TEXTS = frozenset({"TX", "FT", "ST"})
_BEARING = _TEXTS | {"ED", "RP"}
_TAKEN_BACK = frozenset({"D", "W"})
"""OBX-11 of a line that its sender deletes, or says to be of somebody else."""
_SEGMENTS = frozenset(
    (
        *("MSH", "SFT", "UAC", "EVN", "PID", "PD1", "ARV", "NK1", "PV1", "PV2", "ROL", "PRT", "AL1", "DG1", "DRG"),
        *("PR1", "GT1", "IN1", "IN2", "IN3", "ACC", "ORC", "OBR", "OBX", "NTE", "TQ1", "TQ2", "IPC", "TXA", "CON"),
        *("CTD", "CTI", "FT1", "SPM", "SAC", "BLG", "DSC", "DSP"),
    )
)
"""Those that ORU and MDM have, here or with senders that add some of their own."""
_CONCLUSION = frozenset({"IMP", "19005-8"})
_LONGEST = 1_000_000
"""Characters of a text: several times what the fields of a report hold together."""
_LONGEST_RTF = 8 * 1024 * 1024
"""Bytes: an RTF may hold pictures."""
_XML_STARTS = (b"<?xml", b"<ClinicalDocument", b"<!--", b"\xef\xbb\xbf<")


def body_of(message: Message) -> tuple[Body, tuple[str, ...]]:
    """The body, and remarks about it. Raises Unfit: none, only a reference, or unreadable."""
    parts = [one for one in message.all("OBX") if not _is_indicator(one)]
    documents = [one for one in parts if one.value(2) == "ED"]
    # A relayed mail brings its own text as a second ED; the CDA is the document.
    documents = [one for one in documents if _says_xml(one)] or documents
    lines = [one for one in parts if one.value(2) in _TEXTS and one.value(11).upper() not in _TAKEN_BACK]
    left = ("partly_taken",) if _left_out(message, parts) else ()
    if documents:
        body, remarks = _document(documents[0])
        body, remarks = _with_text(body, remarks, lines)
        return body, (*remarks, *(("second_document_ignored",) if len(documents) > 1 else ()), *left)
    if not lines:
        raise Unfit("body_by_reference" if any(one.value(2) == "RP" for one in parts) else "body_missing")
    body, remarks = _text(lines)
    return body, (*remarks, *left)


def bearing_text(message: Message) -> list[Segment]:
    """The OBX in which the report may stand, those with nothing in them only when there is no other."""
    parts = [one for one in message.all("OBX") if one.value(2) in _BEARING and not _is_indicator(one)]
    return [one for one in parts if one.raw(5)] or parts


def _with_text(body: Body, remarks: tuple[str, ...], lines: Sequence[Segment]) -> tuple[Body, tuple[str, ...]]:
    """A document beside which the sender gives the text as well: both are kept, the text being what is signed."""
    if not lines or body.sections:
        return body, remarks + (("partly_taken",) if lines else ())
    text, told = _text(lines)
    return replace(body, sections=text.sections), told


def _left_out(message: Message, parts: Sequence[Segment]) -> bool:
    """Whether the message says something in words, figures or codes that the text of the report does not take over."""
    others = [one for one in parts if one.value(2) not in (*_TEXTS, "ED") or one.value(11).upper() in _TAKEN_BACK]
    comments = any(one.raw(3).strip() for one in message.all("NTE"))
    # A line of text that looks like a segment ("RAS" before the end of a field) is not lost unseen.
    odd = any(one.name not in _SEGMENTS and not one.name.startswith("Z") for one in message)
    return comments or odd or any(one.raw(5) for one in others)


def _is_indicator(obx: Segment) -> bool:
    what = obx.first(3)
    return what.component(1) in INDICATORS or what.component(3) == "MetaDMPMSS" or what.component(1) == STUDY


def _says_xml(obx: Segment) -> bool:
    return "XML" in (obx.first(5).component(2).upper(), obx.first(5).component(3).upper())


def _text(lines: Sequence[Segment]) -> tuple[Body, tuple[str, ...]]:
    ordered = sorted(lines, key=_number)
    is_rtf = len(ordered) == 1 and ordered[0].raw(5).lstrip().startswith(("{\\rtf", "{\\E\\rtf"))
    if sum(len(one.text) for one in lines) > (_LONGEST_RTF if is_rtf else 2 * _LONGEST):
        raise Unfit("text_too_long")
    if is_rtf:
        data = unescape(ordered[0].raw(5), ordered[0].delimiters).encode("utf-8")
        return _rtf(data)
    impression = [one for one in ordered if _is_conclusion(one)]
    sections = dict(_cut("\n".join(_lines_of(one for one in ordered if one not in impression))))
    if impression:
        said = "\n".join(_lines_of(impression))
        sections["conclusion"] = "\n".join(filter(None, (sections.get("conclusion"), said)))
    if not sections:
        raise Unfit("body_missing")
    return Body(Form.TEXT, sections), () if sections.get("conclusion") else ("text_to_write",)


def _number(obx: Segment) -> int:
    told = obx.value(1)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 8 else obx.sequence


def _is_conclusion(obx: Segment) -> bool:
    what = obx.first(3)
    return what.component(1) in _CONCLUSION or what.sub(1, 2) in _CONCLUSION


def _lines_of(segments: Iterator[Segment] | Sequence[Segment]) -> Iterator[str]:
    for one in segments:
        for repetition in one.raw(5).split(one.delimiters.repetition):
            yield unescape(repetition, one.delimiters)


def _document(obx: Segment) -> tuple[Body, tuple[str, ...]]:
    value = obx.first(5)
    # Old systems leave out the source application or the subtype: what was sent tells what it is, not its label.
    pieces = [value.raw(number) for number in range(5, 0, -1)]
    longest = max(pieces, key=len)
    data = decoded(longest) if value.component(4).strip().upper() not in ("A", "ASCII") else None
    data = unescape(longest, obx.delimiters).encode("utf-8") if data is None else data
    if data.lstrip().startswith(b"%PDF-"):
        return Body(Form.PDF, original=data), ("text_to_write",)
    if data.lstrip().startswith(_XML_STARTS):
        return Body(Form.CDA, original=data), ("text_to_write",)
    if data.lstrip().startswith(MARK):
        return _rtf(data.lstrip())
    raise Unfit("document_unreadable")


def _rtf(data: bytes) -> tuple[Body, tuple[str, ...]]:
    if len(data) > _LONGEST_RTF:
        raise Unfit("text_too_long")
    try:
        sections = _cut(text_of_rtf(data))
    except TooDeep:
        raise Unfit("document_too_complex") from None
    if not sections:
        raise Unfit("body_missing")
    return Body(Form.RTF, sections, data), ("converted_from_rtf",)


def _cut(text: str) -> Mapping[str, str]:
    if len(text) > _LONGEST:
        raise Unfit("text_too_long")
    return cut(text)


def decoded(text: str) -> bytes:
    """Base64 with what real senders do to it: no padding, line breaks inside. Raises Unfit for anything else."""
    compact = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("document_unreadable") from None
