"""Datamatrix INS, version 2.2: its payload written and read (spec/ins.md §8.3, §9.1). No image, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import check_ins_oid, is_valid_matricule

from navette_ins.domain.birth_dates import calendar_date
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity

SEPARATOR: Final = "\x1d"
_TYPE, _VERSION, _RESERVED = "IS", "01", "0" * 22
HEADER: Final = _TYPE + _VERSION + _RESERVED

# Longest value of each block; a value of fixed length has no separator.
_FIXED = MappingProxyType({"S1": 15, "S5": 1, "S6": 10, "S7": 5})
_VARIABLE = MappingProxyType({"S2": 20, "S3": 100, "S4": 100})
_NAME = re.compile(r"[A-Z' -]{1,100}", re.ASCII)
_FORMS = MappingProxyType(
    {
        "S1": re.compile(r"[0-9AB]{15}", re.ASCII),
        "S2": re.compile(r"[0-9.]{19,20}", re.ASCII),
        "S3": _NAME,
        "S4": _NAME,
        "S5": re.compile(r"[FM]", re.ASCII),
        "S6": re.compile(r"\d{2}-\d{2}-\d{4}", re.ASCII),
        "S7": re.compile(r"(?:\d{2}|2A|2B)\d{3}", re.ASCII),
    }
)
_COMPULSORY = ("S1", "S2", "S3", "S4", "S5", "S6")


@dataclass(frozen=True, slots=True, repr=False)
class InsCode:
    """What a datamatrix says. Its repr shows nothing of it."""

    matricule: str
    oid: str
    birth_given_names: str
    birth_name: str
    sex: str
    birth_date: str
    """YYYY-MM-DD; the national base also holds dates that no calendar knows."""
    birth_place_code: str | None

    @property
    def birth_date_exists(self) -> bool:
        """Whether the calendar knows the birth date."""
        return calendar_date(self.birth_date) is not None

    def __repr__(self) -> str:
        return "InsCode(…)"


def code_of(identity: Identity) -> InsCode:
    """What the code of an identity says. Raises Forbidden ("not_qualified"): only a qualified identity has one."""
    if identity.recovery is None or identity.status != "qualifiee":
        raise Forbidden("not_qualified")
    traits = identity.traits
    return InsCode(
        matricule=identity.recovery.matricule,
        oid=identity.recovery.oid,
        birth_given_names=traits.birth_given_names,
        birth_name=traits.birth_name,
        sex=traits.sex,
        birth_date=traits.birth_date,
        birth_place_code=traits.birth_place_code,
    )


def encode(code: InsCode) -> str:
    """The payload. Raises RuleBroken (field "S1" … "S7", rule "format") for a value the code cannot hold.

    A separator follows a variable value that is neither last nor full: S2 with an OID in .8 or .9 has one, with
    .10 or .11 it has none. Names longer than a block are cut, as the block holds 100 characters.
    """
    year, month, day = code.birth_date.split("-")
    blocks = [
        ("S1", code.matricule),
        ("S2", code.oid),
        ("S3", code.birth_given_names[: _VARIABLE["S3"]]),
        ("S4", code.birth_name[: _VARIABLE["S4"]]),
        ("S5", code.sex),
        ("S6", f"{day}-{month}-{year}"),
    ]
    if code.birth_place_code is not None:
        blocks.append(("S7", code.birth_place_code))
    parts = [HEADER]
    for place, (block, value) in enumerate(blocks):
        if not _FORMS[block].fullmatch(value):
            raise RuleBroken(block, "format")
        full = block in _FIXED or len(value) == _VARIABLE[block]
        parts.append(block + value + ("" if full or place == len(blocks) - 1 else SEPARATOR))
    return "".join(parts)


def decode(payload: str, *, production: bool) -> InsCode:
    """What a scanned payload says.

    Raises RuleBroken (field "payload" or a block, rule "not_ins", "version", "unknown_block", "repeated", "missing",
    "truncated", "format", "key", "unknown", "test-oid-in-production"): what is not understood whole is refused whole.
    """
    if not payload.startswith(_TYPE):
        raise RuleBroken("payload", "not_ins")
    if payload[2:4] != _VERSION or payload[4:26] != _RESERVED:
        raise RuleBroken("payload", "version")
    values = _blocks(payload[len(HEADER) :])
    for block in _COMPULSORY:
        if block not in values:
            raise RuleBroken(block, "missing")
    for block, value in values.items():
        if not _FORMS[block].fullmatch(value):
            raise RuleBroken(block, "format")
    if not is_valid_matricule(values["S1"]):
        raise RuleBroken("S1", "key")
    try:
        check_ins_oid(values["S2"], production=production)
    except InvalidValue as invalid:
        raise RuleBroken("S2", invalid.rule) from None
    day, month, year = values["S6"].split("-")
    return InsCode(
        matricule=values["S1"],
        oid=values["S2"],
        birth_given_names=values["S3"],
        birth_name=values["S4"],
        sex=values["S5"],
        birth_date=f"{year}-{month}-{day}",
        birth_place_code=values.get("S7"),
    )


def _blocks(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    while text:
        block, text = text[:2], text[2:]
        if block not in _FORMS:
            raise RuleBroken("payload", "unknown_block")
        if block in values:
            raise RuleBroken(block, "repeated")
        if block in _FIXED:
            length = _FIXED[block]
            if len(text) < length:
                raise RuleBroken(block, "truncated")
            values[block], text = text[:length], text[length:]
        else:
            values[block], text = _variable(text, _VARIABLE[block])
    return values


def _variable(text: str, longest: int) -> tuple[str, str]:
    """The value and what follows: it ends at its separator, at its longest or with the payload."""
    end = text.find(SEPARATOR, 0, longest)
    if end >= 0:
        return text[:end], text[end + 1 :]
    return text[:longest], text[longest:]
