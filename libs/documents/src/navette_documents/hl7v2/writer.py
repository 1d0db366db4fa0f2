"""Messages written from values: escaped, CR at the end of each segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from navette_documents.hl7v2.charset import UTF8, encode
from navette_documents.hl7v2.escapes import STANDARD, escape

Fields = Mapping[int, str]
"""Encoded fields of a segment by number."""


def sub(*values: str) -> str:
    """Subcomponents of one component."""
    return "&".join(escape(one) for one in values)


def components(*encoded: str) -> str:
    """Components already encoded; empty ones at the end are left out."""
    return "^".join(encoded).rstrip("^")


def repeat(*encoded: str) -> str:
    """Repetitions of one field."""
    return "~".join(one for one in encoded if one)


def cx(value: str, authority: str, kind: str) -> str:
    """An identifier; `authority` is an encoded CX-4, `value` may be the delete sign."""
    return components(escape(value), "", "", authority, kind)


def xpn(family: str, given: str, given_list: str, kind: str) -> str:
    """A name of type L, D or S."""
    return components(escape(family), escape(given), escape(given_list), "", "", "", kind)


def segment(name: str, fields: Fields) -> str:
    """One segment; MSH gets its delimiters."""
    last = max(fields, default=0)
    if name == "MSH":
        return "|".join(["MSH", STANDARD.msh2, *(fields.get(number, "") for number in range(3, last + 1))])
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def write_message(segments: Sequence[tuple[str, Fields]], *, charset: str = UTF8) -> bytes:
    """The bytes of a message. Raises ValueError for a character the charset lacks."""
    return encode("".join(segment(name, fields) + "\r" for name, fields in segments), charset)
