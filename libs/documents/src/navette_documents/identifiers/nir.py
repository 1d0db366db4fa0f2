"""Matricule INS: NIR and NIA, their key and their assigning authorities (spec/ins.md §9).

A NIA has the layout and the key of a NIR; only the OID tells them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from navette_documents.errors import InvalidValue

INS_NIR = "1.2.250.1.213.1.4.8"
INS_NIA = "1.2.250.1.213.1.4.9"
INS_TEST = "1.2.250.1.213.1.4.10"
INS_DEMO = "1.2.250.1.213.1.4.11"
INS_OIDS = frozenset({INS_NIR, INS_NIA, INS_TEST, INS_DEMO})
PRODUCTION_INS_OIDS = frozenset({INS_NIR, INS_NIA})

# Sex 1 or 2 (5 to 8 are numbers of other kinds, never an INS); month 01-12, or 20-99 when unknown;
# department on two characters, 2A and 2B for Corsica.
_BODY = re.compile(r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2A|2B)\d{6}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Matricule:
    """A matricule INS whose format and key have been checked. Its repr never shows it."""

    body: str
    """The 13 characters before the key."""
    key: str
    """Two digits, "01" to "97"."""

    @property
    def value(self) -> str:
        """The 15 characters, key included: the form every message carries."""
        return self.body + self.key

    @property
    def sex_digit(self) -> str:
        """ "1" for men, "2" for women, as attributed at birth or later corrected."""
        return self.body[0]

    @property
    def birth_month_known(self) -> bool:
        """False when the month is one of the codes 20 to 99, given when it is unknown."""
        return int(self.body[3:5]) <= 12

    @property
    def place_code(self) -> str:
        """COG code of the birth place as it was at registration (5 characters)."""
        return self.body[5:10]

    def __repr__(self) -> str:
        return "Matricule(…)"


def nir_key(body: str) -> str:
    """Key of a 13-character body: 97 - (N mod 97) on two digits, N with 2A read 19 and 2B read 18.

    Raises InvalidValue when the body does not have the format.
    """
    if not _BODY.fullmatch(body):
        raise InvalidValue("matricule", "format")
    number = int(body.replace("2A", "19").replace("2B", "18"))
    return f"{97 - number % 97:02d}"


def parse_matricule(text: str) -> Matricule:
    """Matricule read from 15 characters; blanks between groups and a lower-case 2a/2b are accepted.

    Raises InvalidValue (field "matricule", rule "length", "format" or "key").
    """
    compact = text.replace(" ", "").upper()
    if len(compact) != 15:
        raise InvalidValue("matricule", "length")
    body, key = compact[:13], compact[13:]
    if nir_key(body) != key:
        raise InvalidValue("matricule", "key")
    return Matricule(body, key)


def is_valid_matricule(text: str) -> bool:
    """Whether `text` is a matricule with its key, in exactly 15 characters."""
    try:
        return parse_matricule(text).value == text
    except InvalidValue:
        return False


def check_ins_oid(oid: str, *, production: bool) -> str:
    """`oid` if an INS may carry it in this environment.

    Test (.10) and demonstration (.11) authorities are refused in production (spec/dmp.md §4.3).
    Raises InvalidValue (field "ins_oid", rule "unknown" or "test-oid-in-production").
    """
    if oid not in INS_OIDS:
        raise InvalidValue("ins_oid", "unknown")
    if production and oid not in PRODUCTION_INS_OIDS:
        raise InvalidValue("ins_oid", "test-oid-in-production")
    return oid
