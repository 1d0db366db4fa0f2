"""Header, order of segments, and the fields that the volet requires (TRANS-CDA 2.1; spec/hl7v2.md §5.1 to §5.4)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from navette_sandbox.simulators.pfi.er7 import Message, Refused, Segment

_EVENTS = {
    "MDM^T02^MDM_T02": "create",
    "MDM^T10^MDM_T02": "replace",
    "MDM^T04^MDM_T02": "delete",
    "ORU^R01^ORU_R01": "",
}
_ORC = {"create": "NW", "replace": "RO", "delete": "CA"}
_STATUS = {"create": "F", "replace": "C", "delete": "D"}
_HEADS = {
    ("MDM", "2.1"): ["MSH", "EVN", "PID", "PV1", "ORC", "OBR", "TXA"],
    ("MDM", "2.0"): ["MSH", "EVN", "PID", "PV1", "TXA"],
    ("ORU", "2.1"): ["MSH", "PID", "PV1", "ORC", "OBR"],
    ("ORU", "2.0"): ["MSH", "PID", "PV1", "ORC", "OBR"],
}
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_MOMENT = re.compile(r"\d{8,14}([+-]\d{4})?")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the header and the order of segments say."""

    family: str
    version: str
    action: str
    """create, replace or delete."""
    unique_id: str
    """TXA-12; "" in an ORU."""
    replaces: str
    """TXA-13."""
    ins: tuple[str, str] | None
    """OID and matricule of PID-3."""
    patient_ids: frozenset[tuple[str, str]]
    """(universal id, value) of PID-3."""
    qualified: bool


def check_structure(message: Message, versions: Collection[str]) -> Frame:
    """Raises `Refused` for the first rule a message breaks."""
    family, version, action = _header(message.msh, versions)
    _order(message, family, version)
    documents = [one for one in message.all("OBX") if one.part(2) == "ED" and one.part(3, 3) != "MetaDMPMSS"]
    if len(documents) != 1:
        # A second CDA (niveau 1 and niveau 3 apart) is out of the scope of Ségur; the MDM has exactly one.
        raise Refused("198", "document.count", "OBX")
    status = documents[0].part(11)
    action = action or next((name for name, code in _STATUS.items() if code == status), "")
    if not action or status != _STATUS[action]:
        raise Refused("207", "action.obx", "OBX^1^11", application="906")
    if not (family == "MDM" and version == "2.0"):
        wanted = _ORC[action] if version == "2.1" else "SC"
        if message.one("ORC").part(1) != wanted:
            raise Refused("207", "action.orc", "ORC^1^1", application="906")
        if message.one("OBR").field(4) != documents[0].field(3):
            raise Refused("207", "type.obr", "OBR^1^4", application="906")
    if family == "MDM" and not _MOMENT.fullmatch(message.one("EVN").part(2)):
        raise Refused("101", "evn.moment", "EVN^1^2")
    unique_id, replaces = _txa(message, action, version, documents[0]) if family == "MDM" else ("", "")
    ins, ids, qualified = _patient(message.one("PID"))
    _visit(message.one("PV1"))
    return Frame(family, version, action, unique_id, replaces, ins, ids, qualified)


def _header(msh: Segment, versions: Collection[str]) -> tuple[str, str, str]:
    if msh.field(9) not in _EVENTS:
        raise Refused("201" if msh.part(9) in ("MDM", "ORU") else "200", "msh.type", "MSH^1^9")
    family, action = msh.part(9), _EVENTS[msh.field(9)]
    for number in (3, 4, 5, 6, 7, 10, 11):
        if not msh.field(number):
            raise Refused("101", f"msh.{number}", f"MSH^1^{number}")
    if len(msh.field(10)) > 20:
        raise Refused("102", "msh.control_id", "MSH^1^10")
    if not _MOMENT.fullmatch(msh.field(7)):
        raise Refused("102", "msh.moment", "MSH^1^7")
    if msh.part(11) not in ("P", "T", "D"):
        raise Refused("202", "msh.processing", "MSH^1^11")
    if msh.field(12) != {"MDM": "2.6", "ORU": "2.5"}[family]:
        raise Refused("203", "msh.version", "MSH^1^12")
    if msh.field(17) != "FRA":
        raise Refused("103", "msh.country", "MSH^1^17")
    if msh.part(21, 2) != "CISIS_CDA_HL7_V2" or msh.part(21) not in versions:
        raise Refused("203", "msh.profile", "MSH^1^21")
    return family, msh.part(21), action


def _order(message: Message, family: str, version: str) -> None:
    names = [one.name for one in message.segments]
    head = _HEADS[family, version]
    if names[: len(head)] != head:
        raise Refused("100", "segment.order", names[min(len(names), len(head)) - 1])
    rest = " ".join(names[len(head) :])
    if not re.fullmatch(r"(OBX( PRT)*( NTE)*)( OBX( PRT)*( NTE)*)*", rest):
        raise Refused("100", "segment.order", "OBX")
    for place, obx in enumerate(message.all("OBX"), start=1):
        if obx.part(1) != str(place):
            raise Refused("102", "obx.set_id", f"OBX^{place}^1")
    noted = [before for before, one in pairwise(message.segments) if one.name == "NTE"]
    if any(one.name != "OBX" or one.part(3) != "DESTMSSANTEPAT" or one.part(5) != "Y" for one in noted):
        raise Refused("100", "note.place", "NTE")


def _txa(message: Message, action: str, version: str, document: Segment) -> tuple[str, str]:
    txa = message.one("TXA")
    if txa.part(1) != "1" or txa.part(2) != document.part(3) or txa.part(3) != "TEXT":
        raise Refused("103", "txa.document", "TXA^1^2")
    # The official examples name the organisation in a second component; an extension (`ext^^OID^ISO`) is refused.
    unique_id, replaces = txa.part(12), txa.part(13)
    if not _OID.fullmatch(unique_id):
        raise Refused("101" if not unique_id else "102", "txa.unique_id", "TXA^1^12")
    if action == "replace" and not _OID.fullmatch(replaces):
        raise Refused("101" if not replaces else "102", "txa.replaced", "TXA^1^13")
    if action == "create" and replaces:
        raise Refused("103", "txa.replaced", "TXA^1^13")
    if txa.part(17) not in ({"AU"} if version == "2.1" else {"AU", "LA"}):
        raise Refused("103", "txa.status", "TXA^1^17")
    return unique_id, replaces


def _patient(pid: Segment) -> tuple[tuple[str, str] | None, frozenset[tuple[str, str]], bool]:
    found: set[tuple[str, str]] = set()
    ins: tuple[str, str] | None = None
    for place, _text in enumerate(pid.repetitions(3), start=1):
        value, authority, kind = pid.part(3, 1, 1, place), pid.part(3, 4, 2, place), pid.part(3, 5, 1, place)
        if not value or not authority or not kind:
            raise Refused("101", "pid.identifier", f"PID^1^3^{place}")
        found.add((authority, value))
        if kind == "INS":
            if not re.fullmatch(r"[0-9AB]{15}", value) or pid.part(3, 4, 3, place) != "ISO":
                raise Refused("207", "pid.ins", f"PID^1^3^{place}", application="905")
            ins = (authority, value)
    if not found:
        raise Refused("101", "pid.identifier", "PID^1^3")
    if not pid.part(5) or not pid.part(5, 2) or "L" not in {pid.part(5, 7, 1, n) for n in (1, 2)}:
        raise Refused("101", "pid.name", "PID^1^5")
    if not re.fullmatch(r"\d{8}", pid.part(7)) or pid.part(8) not in ("M", "F", "U"):
        raise Refused("101", "pid.traits", "PID^1^7")
    status = [text.split("^")[0] for text in pid.repetitions(32)]
    qualified = ins is not None and "VALI" in status
    if ins is not None and not qualified:
        raise Refused("207", "pid.ins_not_validated", "PID^1^32", application="905")
    return ins, frozenset(found), qualified


def _visit(pv1: Segment) -> None:
    if pv1.part(2) not in ("E", "I", "N", "O", "R"):
        raise Refused("101" if not pv1.part(2) else "103", "pv1.class", "PV1^1^2")
    if pv1.part(2) != "N" and not pv1.part(19):
        raise Refused("101", "pv1.visit", "PV1^1^19")
