"""FINESS numbers of structures and their national form Struct_IdNat (spec/dmp.md §4.3)."""

from __future__ import annotations

import re

from navette_documents.errors import InvalidValue

STRUCT_AUTHORITY = "1.2.250.1.71.4.2.2"
"""Assigning authority of Struct_IdNat, root of organisation ids in a CDA."""

# Department first: 2A and 2B for Corsica, 0B for the fictitious structures of the ANS test cards.
# The key is not checked: those fictitious numbers do not follow it.
_FINESS = re.compile(r"\d[\dAB]\d{7}", re.ASCII)


def parse_finess(text: str) -> str:
    """FINESS number of 9 characters. Raises InvalidValue (field "finess", rule "format")."""
    if not _FINESS.fullmatch(text):
        raise InvalidValue("finess", "format")
    return text


def is_valid_finess(text: str) -> bool:
    """Whether `text` has the format of a FINESS number."""
    return _FINESS.fullmatch(text) is not None


def struct_idnat(finess: str) -> str:
    """National identifier of a structure: "1" + FINESS, 10 characters."""
    return "1" + parse_finess(finess)
