"""Bytes to text: UTF-8 if it is, else what MSH-18 says, else ISO 8859-15 (spec/hl7v2.md §2.1).

Never cp1252: it differs from 8859-15 for the euro, Œ, œ, Š, š, Ž, ž, Ÿ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UTF8 = "UNICODE UTF-8"
LATIN9 = "8859/15"
LATIN1 = "8859/1"

_CODECS = {UTF8: "utf-8", LATIN9: "iso8859-15", LATIN1: "iso8859-1", "ASCII": "ascii"}
_DECLARED = re.compile(rb"^\s*MSH(.)(?:[^\r\n]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a message, how it was read, and whether its MSH-18 told the truth."""

    text: str
    charset: str
    declared: str
    mismatch: bool


def declared_charset(data: bytes) -> str:
    """MSH-18 (first repetition) as written, "" when absent; works before anything is decoded."""
    match = _DECLARED.match(data[:4096].removeprefix(b"\xef\xbb\xbf"))
    if match is None:
        return ""
    fields = match.group(0).strip().split(match.group(1))
    if len(fields) < 18:
        return ""
    return fields[17].split(b"~")[0].decode("ascii", errors="replace").strip().upper()


def decode(data: bytes) -> Decoded:
    """The text. Never fails: ISO 8859-15 has a character for every byte, so nothing is lost."""
    declared = declared_charset(data)
    if data.isascii():
        known = declared if declared in _CODECS else UTF8
        return Decoded(data.decode("ascii"), known, declared, mismatch=False)
    try:
        return Decoded(data.decode("utf-8"), UTF8, declared, mismatch=declared != UTF8)
    except UnicodeDecodeError:
        charset = declared if declared in (LATIN9, LATIN1) else LATIN9
        return Decoded(data.decode(_CODECS[charset]), charset, declared, mismatch=declared != charset)


def encode(text: str, charset: str) -> bytes:
    """The bytes of a text in a charset named as in MSH-18.

    Raises LookupError for a charset nobody agreed on, UnicodeEncodeError (a ValueError) for a character it lacks.
    """
    return text.encode(_CODECS[charset])
