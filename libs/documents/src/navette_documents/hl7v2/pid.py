"""The identity of a message, typed: PID, ZFD and identifiers, with what real senders write (spec/ins.md §7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from navette_documents.errors import InvalidValue
from navette_documents.hl7v2.er7 import Message, Repetition, Segment
from navette_documents.identifiers.nir import INS_DEMO, INS_NIA, INS_NIR, INS_OIDS, INS_TEST, parse_matricule

DELETE = '""'
"""Erase the value; an empty field says nothing."""

_INS_TYPES = frozenset({"INS", "INS-NIR", "INS-NIA", "INSNIR", "INSNIA"})
# Of several matricules the NIR counts (spec/hl7v2.md §10.7).
_PREFERENCE = (INS_NIR, INS_TEST, INS_DEMO, INS_NIA)
_NAME_TYPES = frozenset({"L", "D", "S", "U"})
_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{2,6}(?:\.\d+)?)?(?:[+-]\d{4})?", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class PatientId:
    """One CX."""

    value: str
    authority: str
    """Namespace of CX-4."""
    authority_id: str
    """Universal id of CX-4: OID, FINESS or name."""
    authority_type: str
    kind: str
    """CX-5, upper case."""

    @property
    def deletes(self) -> bool:
        """Whether the identifier is to be erased."""
        return self.value == DELETE

    @property
    def is_ins(self) -> bool:
        """A matricule INS. The OID .8 also serves the NIR of the social security (type NH): the type decides."""
        return self.authority_id in INS_OIDS and self.kind in _INS_TYPES


@dataclass(frozen=True, slots=True, repr=False)
class InsClaim:
    """A matricule INS as a message carries it."""

    matricule: str
    oid: str
    sound: bool
    """Format and key are right."""


@dataclass(frozen=True, slots=True, repr=False)
class PersonName:
    """One XPN; "" where nothing was said, DELETE where the value is to be erased."""

    family: str
    given: str
    given_list: str
    kind: str


@dataclass(frozen=True, slots=True)
class Proofs:
    """ZFD: how the identity was obtained."""

    completed: str
    """ZFD-4: Y, N or ""."""
    mode: str
    """ZFD-5: SM, CV, INSI, CB, RFID."""
    document: str
    """ZFD-7, a code of the documents of identity."""


@dataclass(frozen=True, slots=True, repr=False)
class PidRecord:
    """PID as the identity service reads it. Everything "" that the message does not say."""

    identifiers: tuple[PatientId, ...]
    birth_name: PersonName | None
    used_name: PersonName | None
    birth_date: str
    """YYYY-MM-DD, or as received when it is no full date."""
    birth_date_full: bool
    sex: str
    birth_place_code: str
    statuses: tuple[str, ...]
    """PID-32: status, then attributes."""
    account: str
    """PID-18, number of the administrative file."""

    def identifier(self, kind: str, authority: str, authority_id: str = "") -> PatientId | None:
        """The identifier of that type under one authority, named by its id or by its namespace."""
        for one in self.identifiers:
            if one.kind == kind and _same_authority(one, authority, authority_id):
                return one
        return None

    @property
    def ins_deleted(self) -> bool:
        """Whether the message erases the matricule."""
        return any(one.deletes and (one.is_ins or one.kind in _INS_TYPES) for one in self.identifiers)


def read_pid(message: Message) -> PidRecord:
    """Read PID. Raises Hl7Error when the message has none; bad values are the reader's to judge, not refused here."""
    pid = message.require("PID")
    names = [_name(one) for one in pid.repetitions(5)]
    births = [one for one in names if one.kind in ("L", "")]
    date, full = _date(pid.value(7))
    return PidRecord(
        identifiers=read_identifiers(pid, 3),
        birth_name=births[0] if births else None,
        used_name=next((one for one in names if one.kind == "D"), None),
        birth_date=date,
        birth_date_full=full,
        sex=pid.value(8).upper(),
        birth_place_code=_birth_place(pid),
        statuses=tuple(code for one in pid.repetitions(32) if (code := one.component(1).strip().upper())),
        account=pid.value(18),
    )


def read_identifiers(segment: Segment, field: int) -> tuple[PatientId, ...]:
    """The identifiers of PID-3 or MRG-1, in order."""
    return tuple(_identifier(one) for one in segment.repetitions(field))


def read_ins(identifiers: tuple[PatientId, ...]) -> InsClaim | None:
    """The matricule INS among identifiers, None when there is none or only a request to erase it."""
    found = [one for one in identifiers if one.is_ins and not one.deletes and one.value]
    if not found:
        return None
    best = min(found, key=lambda one: _PREFERENCE.index(one.authority_id))
    value = best.value.replace(" ", "").upper()
    try:
        parse_matricule(value)
    except InvalidValue:
        return InsClaim(value, best.authority_id, sound=False)
    return InsClaim(value, best.authority_id, sound=True)


def read_proofs(message: Message) -> Proofs:
    """Read ZFD; everything "" when there is none. The mode may be in upper or lower case."""
    zfd = message.get("ZFD")
    if zfd is None:
        return Proofs("", "", "")
    return Proofs(zfd.value(4).upper(), zfd.value(5).upper(), zfd.value(7).upper())


def _identifier(one: Repetition) -> PatientId:
    return PatientId(
        value=one.component(1).strip(),
        authority=one.sub(4, 1).strip(),
        authority_id=one.sub(4, 2).strip(),
        authority_type=one.sub(4, 3).strip().upper(),
        kind=one.component(5).strip().upper(),
    )


def _name(one: Repetition) -> PersonName:
    kind = one.component(7).strip().upper()
    if kind not in _NAME_TYPES:
        # Examples of the French data types themselves write the type in XPN-8 and the title in XPN-6.
        shifted = one.component(8).strip().upper()
        kind = shifted if shifted in _NAME_TYPES else kind
    given_list = " ".join(one.component(3).replace(",", " ").split())
    return PersonName(one.component(1).strip(), one.component(2).strip(), given_list, kind)


def _birth_place(pid: Segment) -> str:
    places = [one for one in pid.repetitions(11) if one.component(7).strip().upper() == "BDL"]
    return places[0].component(9).strip().upper() if places else ""


def _date(text: str) -> tuple[str, bool]:
    match = _DAY.fullmatch(text)
    return (text, False) if match is None else ("-".join(match.groups()), True)


def _same_authority(one: PatientId, authority: str, authority_id: str) -> bool:
    if authority_id and one.authority_id:
        return one.authority_id == authority_id
    return bool(authority) and one.authority == authority
