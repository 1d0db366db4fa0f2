"""What a message says about a person, in the terms of this service (spec/ins.md §7.1, §7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from navette_contracts.events import IdentityAttribute
from navette_documents.errors import InvalidValue
from navette_documents.hl7v2 import (
    DELETE,
    Hl7Error,
    InsClaim,
    Location,
    Message,
    MessageError,
    PidRecord,
    Proofs,
    read_identifiers,
    read_ins,
    read_pid,
    read_proofs,
)
from navette_documents.identifiers.nir import check_ins_oid

from navette_ins.domain.birth_dates import calendar_date, completed_date
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.facts import FormerIns
from navette_ins.domain.pam.senders import Sender, Trust
from navette_ins.domain.traits import UNKNOWN_PLACE, Traits, check_traits, starts_list

_FIELDS = {
    "birth_name": (5, 1),
    "first_birth_given_name": (5, 2),
    "birth_given_names": (5, 3),
    "used_name": (5, 1),
    "used_given_name": (5, 2),
    "birth_date": (7, None),
    "birth_date_on_document": (7, None),
    "birth_date_completed": (7, None),
    "sex": (8, None),
    "birth_place_code": (11, 9),
    "local_id": (3, 1),
}
_SEXES = {"M": "M", "F": "F", "U": "I", "O": "I", "A": "I", "N": "I"}
_MARKS = {
    "HOMA": IdentityAttribute.HOMONYME,
    "DOUT": IdentityAttribute.DOUTEUSE,
    "FICT": IdentityAttribute.FICTIVE,
}


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """One message, read. Nothing here was believed yet."""

    local_id: str
    pid: PidRecord
    proofs: Proofs
    claim: InsClaim | None
    validated: bool | None
    """PID-32 says VALI (True), another status (False), nothing (None)."""
    marks: frozenset[IdentityAttribute]
    former_local_id: str | None = None
    """MRG-1: the identifier that this one replaces or absorbs."""
    former_claim: InsClaim | None = None

    @property
    def removes_ins(self) -> bool:
        """Whether the sender withdraws the INS without giving another."""
        return self.claim is None and (self.pid.ins_deleted or self.former_claim is not None)


def read(message: Message, sender: Sender) -> Reading:
    """Read the identity of a message. Raises Hl7Error when PID or the sender's identifier is missing."""
    pid = read_pid(message)
    local = pid.identifier("PI", sender.authority, sender.authority_id)
    if local is None or not local.value or local.deletes:
        raise Hl7Error(MessageError.REQUIRED_FIELD, "local_identifier", Location("PID", 1, 3))
    mrg = message.get("MRG")
    former = () if mrg is None else read_identifiers(mrg, 1)
    old = next((one for one in former if one.kind == "PI" and one.value and not one.deletes), None)
    codes = frozenset(pid.statuses)
    return Reading(
        local_id=local.value,
        pid=pid,
        proofs=read_proofs(message),
        claim=read_ins(pid.identifiers),
        validated="VALI" in codes if codes else None,
        marks=frozenset(_MARKS[code] for code in codes if code in _MARKS),
        former_local_id=None if old is None else old.value,
        former_claim=read_ins(former),
    )


def traits_of(reading: Reading, known: Traits | None, sender: Sender, *, today: date) -> Traits:
    """The traits after the message: an empty field changes nothing, `""` erases.

    Raises Hl7Error naming the field of PID that breaks a rule.
    """
    pid, values = reading.pid, {} if known is None else known.model_dump()
    if pid.birth_name is not None and pid.birth_name.family:
        values |= _birth_names(pid.birth_name.family, pid.birth_name.given, pid.birth_name.given_list)
    values |= _birth_date(reading)
    if pid.sex:
        if pid.sex not in _SEXES:
            raise Hl7Error(MessageError.TABLE_VALUE, "sex", Location("PID", 1, 8))
        values["sex"] = _SEXES[pid.sex]
    if pid.birth_place_code or known is None:
        values["birth_place_code"] = pid.birth_place_code or UNKNOWN_PLACE
    values |= _used_names(reading)
    if sender.trust is Trust.OWN_DOMAIN:
        values["local_id"] = reading.local_id
    for field in ("birth_name", "first_birth_given_name", "birth_date", "sex"):
        if not values.get(field):
            raise Hl7Error(MessageError.REQUIRED_FIELD, field, _place(field))
    traits = Traits.model_validate(values)
    broken = check_traits(traits, today=today)
    if broken:
        raise Hl7Error(MessageError.DATA_TYPE, f"{broken[0].field}.{broken[0].rule}", _place(broken[0].field))
    return traits


def acceptable_ins(reading: Reading, *, production: bool) -> tuple[FormerIns | None, str | None]:
    """The INS that may be taken over, or why the one of the message may not (spec/ins.md §7.4)."""
    claim, pid = reading.claim, reading.pid
    if claim is None:
        return None, None
    names = pid.birth_name is not None and bool(pid.birth_name.family and pid.birth_name.given)
    complete = names and pid.birth_date_full and pid.sex in ("M", "F") and bool(pid.birth_place_code)
    reasons = (
        ("not_validated", not reading.validated),
        ("doubtful_or_fictive", bool(reading.marks - {IdentityAttribute.HOMONYME})),
        ("key", not claim.sound),
        ("oid", not _allowed(claim.oid, production=production)),
        ("traits_missing", not complete or not _listed(pid)),
        ("birth_date_completed", reading.proofs.completed == "Y" or calendar_date(pid.birth_date) is None),
    )
    reason = next((word for word, broken in reasons if broken), None)
    return (None, f"ins_{reason}") if reason else (FormerIns(matricule=claim.matricule, oid=claim.oid), None)


def _birth_names(family: str, given: str, given_list: str) -> dict[str, str]:
    first = given or given_list.split(" ", maxsplit=1)[0]
    if first and given_list and not starts_list(first, given_list):
        # XPN-3 of the international standard holds the second and further names.
        given_list = f"{first} {given_list}"
    return {"birth_name": family, "first_birth_given_name": first, "birth_given_names": given_list or first}


def _listed(pid: PidRecord) -> bool:
    """Whether the list of given names is the one INSi gives: it begins with the first one."""
    name = pid.birth_name
    return name is not None and (not name.given_list or starts_list(name.given, name.given_list))


def _birth_date(reading: Reading) -> dict[str, object]:
    text = reading.pid.birth_date
    if not text:
        return {}
    if calendar_date(text) is not None:
        return {
            "birth_date": text,
            "birth_date_completed": reading.proofs.completed == "Y",
            "birth_date_on_document": None,
        }
    digits = text.replace("-", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (4, 6, 8):
        raise Hl7Error(MessageError.DATA_TYPE, "birth_date", _place("birth_date"))
    digits = digits.ljust(8, "0")
    on_document = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    try:
        completed = completed_date(on_document)
    except RuleBroken:
        completed = None
    if completed is None:
        raise Hl7Error(MessageError.DATA_TYPE, "birth_date", _place("birth_date"))
    return {"birth_date": completed, "birth_date_completed": True, "birth_date_on_document": on_document}


def _used_names(reading: Reading) -> dict[str, str | None]:
    used = reading.pid.used_name
    if used is None:
        return {}
    if used.family == DELETE:
        return {"used_name": None, "used_given_name": None}
    values: dict[str, str | None] = {"used_name": used.family} if used.family else {}
    if used.given:
        values["used_given_name"] = None if used.given == DELETE else used.given
    return values


def _allowed(oid: str, *, production: bool) -> bool:
    try:
        check_ins_oid(oid, production=production)
    except InvalidValue:
        return False
    return True


def _place(field: str) -> Location:
    number, component = _FIELDS.get(field, (None, None))
    return Location("PID", 1, number, None if component is None else 1, component)
