r"""Escape sequences of ER7: \F\ \S\ \T\ \R\ \E\, \Xhh\ and the formatting of FT (spec/hl7v2.md §2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEX = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_BREAKS = re.compile(r"\.(?:br|sp|ce)(?:\s*\+?(\d{1,3}))?", re.IGNORECASE)
_LAYOUT = re.compile(r"\.(?:in|ti|fi|nf)(?:\s*[+-]?\d{1,3})?", re.IGNORECASE)
"""Indents and filling: layout that plain text has not, but words must not run together for it."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The five delimiters of a message, as its MSH-1 and MSH-2 say."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def msh2(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD = Delimiters()


def unescape(text: str, delimiters: Delimiters = STANDARD) -> str:
    """The text with its sequences resolved; one that nobody knows stays as it is written."""
    mark = delimiters.escape
    if mark not in text:
        return text
    parts = text.split(mark)
    out = [parts[0]]
    index = 1
    while index < len(parts):
        closed = index + 1 < len(parts)
        meaning = _meaning(parts[index], delimiters) if closed else None
        if meaning is None:
            out += [mark, parts[index]]
            index += 1
        else:
            out += [meaning, parts[index + 1]]
            index += 2
    return "".join(out)


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    """The text with delimiters and line ends escaped, fit for a subcomponent."""
    codes = {
        delimiters.escape: "E",
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        "\r": "X0D",
        "\n": "X0A",
    }
    table = {ord(one): f"{delimiters.escape}{code}{delimiters.escape}" for one, code in codes.items()}
    return text.translate(table)


def _meaning(code: str, delimiters: Delimiters) -> str | None:
    simple = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "H": "",
        "N": "",
    }
    if code in simple:
        return simple[code]
    if _HEX.fullmatch(code):
        data = bytes.fromhex(code[1:])
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("iso8859-15")
    if _LAYOUT.fullmatch(code):
        return " "
    lines = _BREAKS.fullmatch(code)
    # Never longer than it is written: many a `\.sp999\` would fill the memory with blank lines.
    return None if lines is None else "\n" * min(max(1, int(lines.group(1) or 1)), len(code))
