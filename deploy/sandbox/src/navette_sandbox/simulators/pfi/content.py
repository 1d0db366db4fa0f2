"""Document, participants and indicators of a message (TRANS-CDA 2.1, spec/hl7v2.md §5.5 and §5.6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from navette_sandbox.simulators.dmp.cda import CdaFacts, read_cda
from navette_sandbox.simulators.dmp.xml import XmlError
from navette_sandbox.simulators.pfi.er7 import Message, Refused, Segment
from navette_sandbox.simulators.pfi.structure import Frame

_MASKS = [
    "MASQUE_PS",
    "INVISIBLE_PATIENT",
    "INVISIBLE_REP_LEGAUX",
    "CONNEXION_SECRETE",
    "MODIF_CONF_CODE",
    "DESTDMP",
    "DESTMSSANTEPS",
    "DESTMSSANTEPAT",
]
_RECEIPTS = ["ACK_RECEPTION", "ACK_LECTURE_MSS"]
_BODIES = ["CORPSMAIL_PS", "CORPSMAIL_PATIENT"]
_YES_NO = {"2.1": "expandedYes-NoIndicator", "2.0": "HL70136"}


@dataclass(frozen=True, slots=True)
class Content:
    """What a message carries, once it is found in order."""

    cda: bytes
    facts: CdaFacts
    sha256: str
    indicators: dict[str, bool]
    professionals: tuple[str, ...]
    """Mailboxes of the professionals and organisations."""
    patient: str
    """Mailbox of the patient, "" when none."""


def check_content(message: Message, frame: Frame, *, strict: bool) -> Content:
    """Raises `Refused` for the first rule a message breaks."""
    document = message.all("OBX")[0]
    cda, facts = _document(document, frame)
    indicators = _indicators(message, frame)
    professionals, patient = _participants(message, frame)
    _coherent(frame, indicators, bool(professionals), bool(patient))
    for place, one in enumerate(message.all("OBX"), start=1):
        if one.part(3) in _BODIES:
            _body(one, frame, place)
    if strict and not on_matrix(indicators):
        raise Refused("207", "matrix", "OBX", application="906")
    return Content(cda, facts, hashlib.sha256(cda).hexdigest(), indicators, professionals, patient)


def _document(obx: Segment, frame: Frame) -> tuple[bytes, CdaFacts]:
    if obx.part(2) != "ED" or obx.part(3, 3) not in ("LN", "TRE_A05"):
        raise Refused("103", "document.type", "OBX^1^3")
    label = "text" if frame.family == "MDM" else "TEXT"
    kind = [obx.part(5, place) for place in (1, 2, 3, 4)]
    if kind != ["", label, "XML", "Base64"]:
        raise Refused("102", "document.encoding", "OBX^1^5")
    try:
        cda = base64.b64decode(obx.part(5, 5), validate=True)
        facts = read_cda(cda)
    except (binascii.Error, XmlError, ValueError):
        raise Refused("102", "document.content", "OBX^1^5") from None
    if facts is None:
        raise Refused("102", "document.content", "OBX^1^5")
    if frame.unique_id and facts.unique_id != frame.unique_id:
        raise Refused("207", "document.unique_id", "TXA^1^12", application="906")
    if facts.type_code != obx.part(3):
        raise Refused("207", "document.type_code", "OBX^1^3", application="906")
    if "^" in facts.unique_id:
        raise Refused("207", "document.extension", "OBX^1^5", application="906")
    missing = frame.patient_ids - facts.patient_ids
    if missing:
        absent = frame.ins is not None and not any(root == frame.ins[0] for root, _value in facts.patient_ids)
        raise Refused("207", "document.patient", "PID^1^3", application="903" if absent else "904")
    if frame.action == "create" and facts.parents:
        raise Refused("207", "document.related", "OBX^1^5", application="900")
    if frame.action == "replace" and (
        not facts.parents or (frame.replaces and facts.parents != frozenset({frame.replaces}))
    ):
        raise Refused("207", "document.related", "OBX^1^5", application="900")
    return cda, facts


def _indicators(message: Message, frame: Frame) -> dict[str, bool]:
    rest = message.all("OBX")[1:]
    if any(one.part(3, 3) != "MetaDMPMSS" for one in rest):
        raise Refused("103", "indicator.table", "OBX^2^3")
    names = [one.part(3) for one in rest]
    bodies = [name for name in _BODIES if name in names]
    order = [*_MASKS, *_RECEIPTS, *bodies] if frame.version == "2.1" else [*_MASKS, *bodies, *_RECEIPTS]
    if names != order:
        raise Refused("100", "indicator.order", "OBX^2^3")
    found: dict[str, bool] = {}
    kind = "CWE" if frame.family == "MDM" else "CE"
    for place, one in enumerate(rest, start=2):
        if one.part(11) != "F":
            raise Refused("103", "indicator.status", f"OBX^{place}^11")
        if one.part(3) in _BODIES:
            if one.part(2) != "ED":
                raise Refused("102", "body.type", f"OBX^{place}^2")
            continue
        if one.part(2) != kind:
            raise Refused("102", "indicator.type", f"OBX^{place}^2")
        if one.part(5) not in ("Y", "N") or one.part(5, 3) != _YES_NO[frame.version]:
            raise Refused("103", "indicator.value", f"OBX^{place}^5")
        found[one.part(3)] = one.part(5) == "Y"
    return found


def _body(obx: Segment, frame: Frame, place: int) -> None:
    """A mail body: text in base64, in the case of the family."""
    label = "text" if frame.family == "MDM" else "TEXT"
    try:
        text = base64.b64decode(obx.part(5, 5), validate=True).decode()
    except ValueError:
        text = ""
    if [obx.part(5, part) for part in (1, 2, 3, 4)] != ["", label, "", "Base64"] or not text:
        raise Refused("102", "body.content", f"OBX^{place}^5")


def _participants(message: Message, frame: Frame) -> tuple[tuple[str, ...], str]:
    professionals: list[str] = []
    patients: list[str] = []
    senders = 0
    first = [one.name for one in message.segments].index("OBX") + 1
    after = message.segments[first : first + len(message.all("PRT"))]
    if any(one.name != "PRT" for one in after):
        raise Refused("100", "participant.place", "PRT")
    for place, one in enumerate(message.all("PRT"), start=1):
        where = f"PRT^{place}"
        if one.part(2) != "UC" or one.part(4) not in ("SB", "RCT", "REPLY"):
            raise Refused("103", "participant.role", f"{where}^4")
        if one.part(4) == "SB":
            senders += 1
            _sender(one, where)
            continue
        address = one.part(15, 4)
        if one.part(15, 3) != "X.400" or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", address):
            raise Refused("101", "participant.address", f"{where}^15")
        if one.part(4) == "RCT":
            is_patient = one.part(5, 13) == "INS"
            if is_patient:
                _patient(one, frame, where)
            else:
                _professional(one, where)
            (patients if is_patient else professionals).append(address)
    if senders != 1:
        raise Refused("101", "participant.sender", "PRT")
    if len(patients) > 1 or len(set(professionals)) != len(professionals):
        raise Refused("198", "participant.repeated", "PRT")
    return tuple(professionals), patients[0] if patients else ""


def _sender(one: Segment, where: str) -> None:
    _professional(one, where)
    if not one.part(8, 10) or one.part(8, 6, 2) != "1.2.250.1.71.4.2.2":
        raise Refused("101", "participant.organisation", f"{where}^8")


def _professional(one: Segment, where: str) -> None:
    if not one.part(5):
        if not one.part(8, 10):
            raise Refused("101", "participant.identity", where)
        return
    forms = {"IDNPS": r"8\d{11}", "RPPS": r"(8)?\d{11}"}
    if one.part(5, 9, 2) != "1.2.250.1.71.4.2.1" or one.part(5, 13) not in forms:
        raise Refused("103", "participant.authority", f"{where}^5")
    if not re.fullmatch(forms[one.part(5, 13)], one.part(5)) or one.part(5, 10) not in ("D", "L"):
        raise Refused("102", "participant.number", f"{where}^5")


def _patient(one: Segment, frame: Frame, where: str) -> None:
    """A mail to a patient goes to the mailbox of the INS of PID-3, or somebody else reads it."""
    if frame.ins is None or (one.part(5, 9, 2), one.part(5)) != frame.ins:
        raise Refused("207", "participant.patient", f"{where}^5", application="904")
    if one.part(15, 4).split("@")[0] != frame.ins[1]:
        raise Refused("207", "participant.patient_address", f"{where}^15", application="904")


def _coherent(frame: Frame, said: dict[str, bool], professionals: bool, patient: bool) -> None:
    rules = {
        "dmp.qualified": not said["DESTDMP"] or frame.qualified,
        "dmp.masks": not (said["DESTDMP"] and said["MASQUE_PS"] and said["INVISIBLE_PATIENT"]),
        "mail.professional": said["DESTMSSANTEPS"] == professionals,
        "mail.patient": said["DESTMSSANTEPAT"] == patient,
        "mail.invisible": not (said["DESTMSSANTEPAT"] and said["INVISIBLE_PATIENT"]),
        "visibility.create": not said["MODIF_CONF_CODE"] or frame.action == "replace",
    }
    broken = next((rule for rule, held in rules.items() if not held), None)
    if broken is not None:
        application = "905" if broken == "dmp.qualified" else "906"
        raise Refused("207", broken, "OBX", application=application)


def on_matrix(said: dict[str, bool]) -> bool:
    """Whether a combination is one of those the guide lists."""
    hidden = (said["MASQUE_PS"], said["INVISIBLE_PATIENT"], said["INVISIBLE_REP_LEGAUX"])
    to = (said["DESTMSSANTEPS"], said["DESTMSSANTEPAT"])
    if to == (False, False):
        return True
    if to == (True, True):
        return hidden == (False, False, False)
    if to == (True, False):
        return hidden == (False, True, False)
    return not (said["INVISIBLE_PATIENT"] or said["CONNEXION_SECRETE"] or said["DESTDMP"])
