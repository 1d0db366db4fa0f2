"""RPPS numbers of professionals and their national form PS_IdNat (spec/dmp.md §4.3)."""

from __future__ import annotations

import re

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.luhn import passes_luhn

PS_AUTHORITY = "1.2.250.1.71.4.2.1"
"""Assigning authority of PS_IdNat, root of professional ids in a CDA."""

_RPPS = re.compile(r"\d{11}", re.ASCII)


def parse_rpps(text: str) -> str:
    """RPPS of exactly 11 digits whose Luhn key is right. Raises InvalidValue (field "rpps")."""
    if not _RPPS.fullmatch(text):
        raise InvalidValue("rpps", "format")
    if not passes_luhn(text):
        raise InvalidValue("rpps", "key")
    return text


def is_valid_rpps(text: str) -> bool:
    """Whether `text` is an RPPS number, key included."""
    try:
        parse_rpps(text)
    except InvalidValue:
        return False
    return True


def ps_idnat(rpps: str) -> str:
    """National identifier of a professional: "8" + RPPS, 12 digits."""
    return "8" + parse_rpps(rpps)


def rpps_of_ps_idnat(identifier: str) -> str | None:
    """RPPS inside a PS_IdNat, None when the identifier is of another kind (ADELI, internal id …)."""
    if len(identifier) == 12 and identifier.startswith("8") and is_valid_rpps(identifier[1:]):
        return identifier[1:]
    return None
