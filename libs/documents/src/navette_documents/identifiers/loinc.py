"""Codes of LOINC: digits, a hyphen, and a key modulo 10 over the digits."""

from __future__ import annotations

import re

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.luhn import passes_luhn

_CODE = re.compile(r"\d{1,7}-\d", re.ASCII)


def parse_loinc(text: str) -> str:
    """A code whose key is right; whether LOINC has it is another matter. Raises InvalidValue (field "loinc")."""
    if not _CODE.fullmatch(text):
        raise InvalidValue("loinc", "format")
    if not passes_luhn(text.replace("-", "")):
        raise InvalidValue("loinc", "key")
    return text
