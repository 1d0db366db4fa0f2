"""Names as INSi takes them: A-Z, space, apostrophe, hyphen (spec/ins.md §3). What was recorded never changes."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from navette_ins.domain.errors import RuleBroken

NameField = Literal["birth_name", "given_name"]

_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u00a0\u202f\u2009\u2007", " ")
)
# Letters that canonical decomposition does not split.
_LIGATURES = str.maketrans(
    {"Æ": "AE", "Œ": "OE", "ẞ": "SS", "ß": "SS", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "İ": "I"}
    | {"æ": "AE", "œ": "OE", "ø": "O", "ł": "L", "đ": "D", "ð": "D", "þ": "TH", "ı": "I"}
)
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ '-")
_DOUBLED = re.compile(r"  |''| '|' ")


def to_wire(value: str, field: NameField) -> str:
    """The name in the alphabet of INSi, accents and ligatures resolved.

    Raises RuleBroken (rule "character", "first_character", "last_character", "double_hyphen", "doubled",
    "empty"): a digit is never dropped, a foreign script never transliterated, a doubled space never collapsed
    silently, because each would send another name than the one on the document.
    """
    text = unicodedata.normalize("NFC", value).translate(_LOOK_ALIKES).translate(_LIGATURES)
    text = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    text = text.upper().strip()
    rule = _broken_rule(text, field)
    if rule is not None:
        raise RuleBroken(field, rule)
    return text


def _broken_rule(text: str, field: NameField) -> str | None:
    given = field == "given_name"
    rules = (
        ("empty", not text),
        ("character", not set(text) <= _ALLOWED),
        ("first_character", text[:1] in (" ", "-")),
        ("doubled", _DOUBLED.search(text) is not None),
        ("double_hyphen", given and "--" in text),
        ("last_character", given and text[-1:] in ("-", "'")),
    )
    return next((rule for rule, broken in rules if broken), None)


def comparison_key(value: str) -> str:
    """What two spellings of one name have in common: no accents, hyphens and apostrophes as spaces.

    Characters outside the alphabet stay as they are: they make names differ, which is what a person must see.
    """
    text = unicodedata.normalize("NFC", value).translate(_LOOK_ALIKES).translate(_LIGATURES)
    text = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    return " ".join(text.upper().replace("-", " ").replace("'", " ").split())
