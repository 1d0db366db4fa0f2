"""The bytes of a message to a platform: segments, their order, the fields that must agree (spec/hl7v2.md §5).

The document itself is put in when the message is sent: `HOLE` marks its place. No segment holds a line feed (it is
escaped), so the mark cannot occur by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from navette_documents.hl7dates import PARIS
from navette_documents.hl7v2 import (
    PS_AUTHORITY,
    components,
    cx,
    encode,
    identity_fields,
    ins_authority,
    ins_cx,
    repeat,
    segment,
    sub,
    xcn,
    xon,
)

from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.indicators import Indicators
from navette_report.domain.pfi.letter import Action, Addressee, Letter

HOLE = "\n"
TYPE_CODE, TYPE_LABEL = "18748-4", "CR d'imagerie médicale"

Fields = dict[int, str]
Segments = list[tuple[str, Fields]]

_ORC = {Action.CREATE: "NW", Action.REPLACE: "RO", Action.DELETE: "CA"}
_STATUS = {Action.CREATE: "F", Action.REPLACE: "C", Action.DELETE: "D"}
_EVENT = {Action.CREATE: "T02", Action.REPLACE: "T10", Action.DELETE: "T04"}
_NAMES = (
    ("MASQUE_PS", "Masqué aux professionnels de Santé"),
    ("INVISIBLE_PATIENT", "Document Non Visible par le patient"),
    ("INVISIBLE_REP_LEGAUX", "Non visible par les représentants Légaux du patient"),
    ("CONNEXION_SECRETE", "Connexion Secrete"),
    ("MODIF_CONF_CODE", "Modification Confidentiality Code"),
    ("DESTDMP", "Destinataire DMP"),
    ("DESTMSSANTEPS", "Destinataire (Professionnel de Santé, organisation ou BAL applicative)"),
    ("DESTMSSANTEPAT", "Destinataire Patient"),
)
_RECEIPTS = (("ACK_RECEPTION", "Accusé de réception"), ("ACK_LECTURE_MSS", "Accusé de lecture"))


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A message with a hole in place of its document, the charset it is in, and its MSH-10."""

    text: str
    charset: str
    number: str

    def with_document(self, cda: bytes) -> bytes:
        """The bytes to send. There is exactly one place for the document."""
        if self.text.count(HOLE) != 1:
            raise AssertionError("a message carries one document")
        return encode(self.text.replace(HOLE, base64.b64encode(cda).decode("ascii")), self.charset)


def written(
    letter: Letter, action: Action, platform: Platform, *, number: str, at: datetime, production: bool
) -> Written:
    """The message that asks `platform` for `action`; `number` is its MSH-10."""
    mdm = platform.family == "MDM"
    moment = at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
    segments: Segments = [("EVN", {2: moment})] if mdm else []
    segments += [("PID", _pid(letter)), ("PV1", _pv1(letter, platform)), *_order(letter, action, platform)]
    if mdm:
        segments.append(("TXA", _txa(letter, action, platform)))
    segments += _document(letter, action, platform)
    segments += _metadata(letter.indicators, platform)
    for charset in (platform.charset, "UNICODE UTF-8"):
        header = _msh(action, platform, number=number, moment=moment, production=production, charset=charset)
        text = "".join(segment(name, fields) + "\r" for name, fields in [("MSH", header), *segments])
        try:
            encode(text, charset)
        except UnicodeEncodeError:
            continue  # a name is never changed to fit a charset: UTF-8 has every letter
        return Written(text, charset, number)
    raise AssertionError("UTF-8 has every letter")


def _msh(action: Action, platform: Platform, *, number: str, moment: str, production: bool, charset: str) -> Fields:
    facility = sub(platform.facility)
    if platform.facility_finess is not None:
        facility = components(facility, platform.facility_finess, "M")
    elif platform.facility_oid is not None:
        facility = components(facility, platform.facility_oid, "ISO")
    event = f"MDM^{_EVENT[action]}^MDM_T02" if platform.family == "MDM" else "ORU^R01^ORU_R01"
    return {
        3: sub(platform.sending_application),
        4: sub(platform.sending_facility),
        5: sub(platform.application),
        6: facility,
        7: moment,
        9: event,
        10: number,
        11: "P" if production else "T",
        12: "2.6" if platform.family == "MDM" else "2.5",
        17: "FRA",
        18: charset,
        21: f"{platform.version}^CISIS_CDA_HL7_V2",
    }


def _pid(letter: Letter) -> Fields:
    """The identifiers of the CDA's patientRole, and no other (§5.3)."""
    ids = [] if letter.ins is None else [ins_cx(letter.ins.matricule, letter.ins.oid)]
    ids.append(cx(letter.local_id, sub(letter.local_authority_name, letter.local_authority, "ISO"), "PI"))
    return {1: "1", 3: repeat(*ids), **identity_fields(letter.traits, checked=letter.checked, codes=letter.codes)}


def _pv1(letter: Letter, platform: Platform) -> Fields:
    if platform.patient_class == "N":
        return {1: "1", 2: "N"}
    visit = cx(letter.accession_number, sub(letter.site_name, letter.site_finess, "N"), "VN")
    return {1: "1", 2: platform.patient_class, 19: visit}


def _order(letter: Letter, action: Action, platform: Platform) -> Segments:
    """ORC and OBR. Version 2.0 had neither in the MDM, and one ORC-1 for everything in the ORU."""
    if platform.version == "2.0" and platform.family == "MDM":
        return []
    placer = sub(letter.placer_number) if letter.placer_number is not None else ""
    filler = sub(letter.accession_number)
    code = _ORC[action] if platform.version == "2.1" else "SC"
    return [
        ("ORC", {1: code, 2: placer, 3: filler}),
        ("OBR", {1: "1", 2: placer, 3: filler, 4: _type()}),
    ]


def _txa(letter: Letter, action: Action, platform: Platform) -> Fields:
    replaced = letter.replaces if action is Action.REPLACE and letter.replaces is not None else ""
    return {
        1: "1",
        2: TYPE_CODE,
        3: "TEXT",
        12: sub(letter.unique_id),
        13: sub(replaced),
        17: "AU" if platform.version == "2.1" else "LA",
    }


def _document(letter: Letter, action: Action, platform: Platform) -> Segments:
    """The CDA, then who sends it, who receives it, where answers go."""
    kind = "text" if platform.family == "MDM" else "TEXT"
    data = f"^{kind}^XML^Base64^{HOLE}"
    segments: Segments = [("OBX", {1: "1", 2: "ED", 3: _type(), 5: data, 11: _STATUS[action]})]
    author = xcn(
        f"8{letter.author_rpps}" if platform.professional_id == "IDNPS" else letter.author_rpps,
        letter.author_family_name,
        letter.author_given_name or "",
        authority=PS_AUTHORITY,
        name_type="D",
        kind=platform.professional_id,
    )
    sender = {5: author, 8: xon(letter.site_name, letter.site_finess, "FINEG")}
    segments.append(("PRT", _prt(platform, "SB", "Send by", sender)))
    for one in letter.mailboxes:
        segments.append(("PRT", _prt(platform, "RCT", "Result Copies To", _addressee(one, platform))))
    if letter.patient_address is not None and letter.ins is not None:
        traits = letter.traits
        patient = xcn(
            letter.ins.matricule,
            traits.birth_name,
            traits.first_birth_given_name,
            authority=ins_authority(letter.ins.oid),
            name_type="L",
            kind="INS",
        )
        said = {5: patient, 15: _mail(letter.patient_address)}
        segments.append(("PRT", _prt(platform, "RCT", "Result Copies To", said)))
    if letter.indicators.mails and letter.reply_to is not None:
        segments.append(("PRT", _prt(platform, "REPLY", "Reply To", {15: _mail(letter.reply_to)})))
    return segments


def _addressee(one: Addressee, platform: Platform) -> Fields:
    said = {15: _mail(one.address)}
    if one.rpps is not None:
        number = f"8{one.rpps}" if platform.professional_id == "IDNPS" else one.rpps
        said[5] = xcn(
            number,
            one.family_name,
            one.given_name or "",
            authority=PS_AUTHORITY,
            name_type="D",
            kind=platform.professional_id,
        )
    else:
        said[8] = xon(one.organization or one.family_name, one.finess or "", "FINEG")
    return said


def _prt(platform: Platform, code: str, label: str, said: Fields) -> Fields:
    return {2: "UC", 4: f"{code}^{label}^participation" if platform.version == "2.1" else f"{code}^^HL70912", **said}


def _metadata(indicators: Indicators, platform: Platform) -> Segments:
    """The indicators in their order. Version 2.0 put the bodies of mails before the receipts."""
    values = (
        indicators.masked_to_professionals,
        indicators.invisible_to_patient,
        indicators.invisible_to_representatives,
        indicators.secret_connection,
        indicators.visibility_changed,
        indicators.to_dmp,
        indicators.to_professionals,
        indicators.to_patient,
    )
    masks = [_yes_no(platform, *name, value) for name, value in zip(_NAMES, values, strict=True)]
    asked = (indicators.ack_reception, indicators.ack_reading)
    receipts = [_yes_no(platform, *name, value) for name, value in zip(_RECEIPTS, asked, strict=True)]
    bodies = _bodies(indicators, platform)
    ordered = [*masks, *receipts, *bodies] if platform.version == "2.1" else [*masks, *bodies, *receipts]
    segments: Segments = []
    for number, fields in enumerate(ordered, start=2):
        segments.append(("OBX", {1: str(number), **fields}))
        if fields[3].startswith("DESTMSSANTEPAT^") and indicators.to_patient and not platform.patient_may_answer:
            segments.append(("NTE", {1: "1", 4: "FIN"}))
    return segments


def _bodies(indicators: Indicators, platform: Platform) -> Sequence[Fields]:
    kind = "text" if platform.family == "MDM" else "TEXT"
    wanted = (
        ("CORPSMAIL_PS", "Corps du mail pour un PS", platform.professional_text, indicators.to_professionals),
        ("CORPSMAIL_PATIENT", "Corps du mail pour le patient", platform.patient_text, indicators.to_patient),
    )
    return [
        {
            2: "ED",
            3: components(code, sub(label), "MetaDMPMSS"),
            5: f"^{kind}^^Base64^{base64.b64encode(text.encode()).decode('ascii')}",
            11: "F",
        }
        for code, label, text, needed in wanted
        if text is not None and needed
    ]


def _yes_no(platform: Platform, code: str, label: str, value: bool) -> Fields:
    system = "expandedYes-NoIndicator" if platform.version == "2.1" else "HL70136"
    return {
        2: "CWE" if platform.family == "MDM" else "CE",
        3: components(code, sub(label), "MetaDMPMSS"),
        5: f"{'Y' if value else 'N'}^^{system}",
        11: "F",
    }


def _type() -> str:
    return components(TYPE_CODE, sub(TYPE_LABEL), "LN")


def _mail(address: str) -> str:
    return components("", "", "X.400", sub(address))
