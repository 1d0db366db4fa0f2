"""The header of a message before, or without, the rest of it."""

from __future__ import annotations

import re

from navette_documents.hl7v2.er7 import Limits, Message, parse
from navette_documents.hl7v2.errors import Hl7Error
from navette_documents.identifiers.nir import is_valid_matricule

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/+-]{0,63}")
_LINE = re.compile(rb"[^\r\n]{0,2000}")


def header_of(raw: bytes) -> Message | None:
    """The header alone of a message that cannot be taken apart, to answer it by its number; None without one."""
    line = _LINE.match(raw.lstrip(b"\xef\xbb\xbf\r\n\t "))
    try:
        return None if line is None else parse(line.group().replace(b"\x00", b""), Limits(message_bytes=4000))
    except Hl7Error:
        return None


def word_of(text: str) -> str:
    """A word of a header as operators may see it; whatever else a sender put there is shown as "?"."""
    return text if not text or (_SAFE.fullmatch(text) and not is_valid_matricule(text)) else "?"
