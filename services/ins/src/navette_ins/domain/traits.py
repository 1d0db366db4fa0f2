"""Traits of an identity as recorded from the document (RIS.INS.01, RIS.INS.11; spec/ins.md §3, §5.3)."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from navette_ins.domain.birth_dates import completion_problems, date_problems
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.wire_names import comparison_key

MAX_NAME = 100
MAX_GIVEN_NAMES = 300
UNKNOWN_PLACE = "99999"

Sex = Literal["M", "F", "I"]

_COG = re.compile(r"(?:\d{2}|2A|2B)\d{3}", re.ASCII)
_PUNCTUATION = frozenset(" '-\u2019")


STRICT_TRAITS = (
    "birth_name",
    "first_birth_given_name",
    "birth_given_names",
    "birth_date",
    "birth_date_completed",
    "birth_date_on_document",
    "sex",
    "birth_place_code",
)
"""Locked once INSi gave them. The others are complementary and always open."""


class Traits(BaseModel):
    """Strict traits, then the complementary ones Navette needs. Names are kept as on the document."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    birth_name: str
    first_birth_given_name: str
    birth_given_names: str
    """All birth given names, separated by spaces, the first one first."""
    birth_date: str
    """YYYY-MM-DD."""
    birth_date_completed: bool = False
    """The day or month was unknown and completed by rule: then no matricule may be carried."""
    birth_date_on_document: str | None = None
    """What the document says when that is no calendar date (unknown parts, lunar date); kept beside for billing."""
    sex: Sex
    birth_place_code: str
    """COG code of the commune, 99 + country code abroad, 99999 when unknown."""
    used_name: str | None = None
    used_given_name: str | None = None
    local_id: str | None = None
    """IPP: the site's own patient number."""

    def __repr__(self) -> str:
        return "Traits(…)"

    __str__ = __repr__


def check_traits(traits: Traits, *, today: date) -> list[RuleBroken]:
    """Every rule the traits break, in the order of the fields; empty when they may be recorded."""
    broken: list[RuleBroken] = []
    for field in ("birth_name", "first_birth_given_name", "used_name", "used_given_name"):
        value = getattr(traits, field)
        if value is not None:
            broken += _name_problems(field, value, MAX_NAME)
    broken += _name_problems("birth_given_names", traits.birth_given_names, MAX_GIVEN_NAMES)
    if not broken and not starts_list(traits.first_birth_given_name, traits.birth_given_names):
        broken.append(RuleBroken("first_birth_given_name", "not_first_of_list"))
    broken += date_problems(traits.birth_date, today)
    broken += completion_problems(
        traits.birth_date, traits.birth_date_on_document, completed=traits.birth_date_completed
    )
    if not _COG.fullmatch(traits.birth_place_code):
        broken.append(RuleBroken("birth_place_code", "cog"))
    if traits.local_id is not None and not re.fullmatch(r"[A-Za-z0-9._/-]{1,64}", traits.local_id):
        broken.append(RuleBroken("local_id", "format"))
    return broken


def starts_list(first: str, given_names: str) -> bool:
    """Whether `first` is a beginning of the list, hyphen and apostrophe counting as space (EXI ID 10)."""
    wanted, listed = comparison_key(first).split(), comparison_key(given_names).split()
    return bool(wanted) and listed[: len(wanted)] == wanted


def _name_problems(field: str, value: str, longest: int) -> list[RuleBroken]:
    text = unicodedata.normalize("NFC", value)
    if not text.strip():
        return [RuleBroken(field, "empty")]
    if len(text) > longest:
        return [RuleBroken(field, "too_long")]
    if not all(one in _PUNCTUATION or unicodedata.category(one).startswith(("L", "M")) for one in text):
        return [RuleBroken(field, "character")]
    if not any(unicodedata.category(one).startswith("L") for one in text):
        return [RuleBroken(field, "character")]
    return []
