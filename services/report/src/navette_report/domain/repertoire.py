"""The characters a report may hold: those the typeface of the documents can print.

A character without glyph would leave a hole in a medical document, silently. It is refused when the text
is written instead. A test compares these ranges with the font files.
"""

from __future__ import annotations

import unicodedata

_RANGES = (
    (0x20, 0x7E),  # ASCII
    (0xA0, 0x17E),  # Latin-1, Latin Extended-A
    (0x192, 0x192),
    (0x218, 0x21B),
    (0x384, 0x38A),  # Greek
    (0x38C, 0x38C),
    (0x38E, 0x3A1),
    (0x3A3, 0x3CE),
    (0x400, 0x45F),  # Cyrillic
    (0x1EA0, 0x1EF9),  # Vietnamese
    (0x2012, 0x2015),  # dashes
    (0x2018, 0x201A),  # quotes
    (0x201C, 0x201E),
    (0x2020, 0x2022),
    (0x2026, 0x2026),
    (0x202F, 0x2030),
    (0x2032, 0x2033),
    (0x2039, 0x203A),
    (0x2044, 0x2044),
    (0x2070, 0x2070),  # exponents and indices
    (0x2074, 0x2079),
    (0x2080, 0x2089),
    (0x20AC, 0x20AC),
    (0x2113, 0x2113),
    (0x2116, 0x2116),
    (0x2122, 0x2122),
    (0x2126, 0x2126),
    (0x2150, 0x215E),  # fractions
    (0x2190, 0x2193),  # arrows
    (0x2206, 0x2206),
    (0x2211, 0x2212),
    (0x2219, 0x221A),
    (0x221E, 0x221E),
    (0x2248, 0x2248),
    (0x2260, 0x2260),
    (0x2264, 0x2265),
    (0x25A0, 0x25A0),
    (0x25B2, 0x25B2),
    (0x25BC, 0x25BC),
    (0x25CA, 0x25CA),
    (0x2610, 0x2611),
    (0x2713, 0x2713),
)
PRINTABLE = frozenset(chr(code) for low, high in _RANGES for code in range(low, high + 1))

# What word processors and dictation put in a text and that prints the same as a character we have.
_SAME = str.maketrans(
    {
        "\r": None,
        "\t": " ",
        "\u00ad": None,  # soft hyphen
        "\u200b": None,  # zero-width space
        "\u2009": "\u202f",  # thin space
        "\u2010": "-",
        "\u2011": "-",
        "\u25cf": "\u2022",
        "\ufeff": None,
    }
)


def clean(text: str) -> str:
    """The text in composed form (NFC), with carriage returns and invisible characters taken away."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").translate(_SAME))


def is_printable(text: str, *, lines: bool = False) -> bool:
    """Whether every character has a glyph; line feeds count as printable when `lines` is true."""
    return all(char in PRINTABLE or (lines and char == "\n") for char in text)
