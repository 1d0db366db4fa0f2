"""HL7 v2 data types in XDS metadata: CX, XCN, XON, OID (spec/dmp.md §6.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from navette_sandbox.simulators.dmp.names import OID_PERSON, OID_STRUCTURE

_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")


@dataclass(frozen=True, slots=True)
class PatientId:
    """An INS as CX."""

    matricule: str
    oid: str


def is_oid(value: str) -> bool:
    """A well-formed OID of at most 64 characters."""
    return len(value) <= 64 and _OID.fullmatch(value) is not None


def check_digits(rpps: str) -> bool:
    """Luhn check of an 11-digit RPPS."""
    total = 0
    for index, digit in enumerate(reversed(rpps)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def valid_matricule(value: str) -> bool:
    """15 characters with the right key; 2A counts as 19 and 2B as 18 in the department."""
    if not re.fullmatch(r"\d{5}(\d{2}|2[AB])\d{8}", value):
        return False
    number = value[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(value[13:])


def parse_cx(value: str, oids: Iterable[str]) -> PatientId | None:
    """``matricule^^^&OID&ISO^NH`` with a valid key and an accepted OID, else ``None``."""
    match = re.fullmatch(r"([0-9AB]{15})\^\^\^&([0-9.]+)&ISO\^NH", value)
    if match is None or match[2] not in tuple(oids) or not valid_matricule(match[1]):
        return None
    return PatientId(match[1], match[2])


def is_local_cx(value: str) -> bool:
    """``IPP^^^&OID&ISO^PI``."""
    match = re.fullmatch(r"[^\^&|~\\]+\^\^\^&([0-9.]+)&ISO\^PI", value)
    return match is not None and is_oid(match[1])


def is_person_xcn(value: str) -> bool:
    """A professional (with a valid RPPS when the id starts with 8) or a system, name and first name filled."""
    fields = value.split("^")
    if len(fields) != 13 or not fields[0] or not fields[1] or not fields[2]:
        return False
    if fields[8] != f"&{OID_PERSON}&ISO" or any(fields[index] for index in (3, 4, 5, 6, 7, 10, 11)):
        return False
    if (fields[9], fields[12]) == ("U", "RI"):
        return "/" in fields[0]
    if (fields[9], fields[12]) != ("D", "IDNPS"):
        return False
    if fields[0].startswith("8"):
        return re.fullmatch(r"8\d{11}", fields[0]) is not None and check_digits(fields[0][1:])
    return True


def structure_of_xon(value: str) -> str | None:
    """The Struct_IdNat of ``NOM^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^id``, else ``None``."""
    fields = value.split("^")
    if len(fields) != 10 or not fields[0] or not fields[9]:
        return None
    if fields[5] != f"&{OID_STRUCTURE}&ISO" or fields[6] != "IDNST" or any(fields[i] for i in (1, 2, 3, 4, 7, 8)):
        return None
    return fields[9]
