"""Records that may be one person, or two who look alike (spec/ins.md §9.3, RIS.INS.27 attribute homonyme)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from rapidfuzz.distance import JaroWinkler

from navette_ins.domain.birth_dates import calendar_date
from navette_ins.domain.traits import UNKNOWN_PLACE, Traits
from navette_ins.domain.wire_names import comparison_key

DUPLICATE_FROM = 0.92
HOMONYM_FROM = 0.80
NEWBORN_FOR = timedelta(days=60)
"""How long a person not found by INSi may simply not be registered yet (judgement: some weeks)."""
_NEAR_DATE = 0.8
"""Worth of a date with day and month swapped, or a year beside."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Another record and how alike it is, 0 to 1."""

    patient_id: str
    site_id: str
    score: float
    crossed_name: bool = False
    """Its used name is the birth name here, or the reverse."""

    @property
    def duplicate_candidate(self) -> bool:
        """Whether it may be the same person, and not only a namesake."""
        return self.score >= DUPLICATE_FROM


def blocking_dates(birth_date: str) -> tuple[str, ...]:
    """Birth dates another record of this person may hold: the same, day and month swapped, a year beside."""
    year, month, day = birth_date.split("-")
    near = [f"{year}-{day}-{month}", f"{int(year) - 1:04d}-{month}-{day}", f"{int(year) + 1:04d}-{month}-{day}"]
    return tuple(dict.fromkeys([birth_date, *(one for one in near if calendar_date(one) is not None)]))


def likeness(one: Traits, other: Traits) -> tuple[float, bool]:
    """How alike two people are, 0 to 1, and whether a used name here is a birth name there."""
    births = _names(one.birth_name, other.birth_name)
    crossed = max(_names(one.birth_name, other.used_name), _names(one.used_name, other.birth_name))
    # The name in use may be any of the list, but a shared second name alone says little.
    given = max(
        *(_names(one.first_birth_given_name, theirs) for theirs in _given(other)),
        *(_names(mine, other.first_birth_given_name) for mine in _given(one)),
    )
    same_place = one.birth_place_code == other.birth_place_code != UNKNOWN_PLACE
    score = (
        0.4 * max(births, crossed)
        + 0.25 * given
        + 0.25 * _dates(one.birth_date, other.birth_date)
        + 0.05 * (one.sex == other.sex)
        + 0.05 * same_place
    )
    return round(score, 4), crossed > births and crossed >= DUPLICATE_FROM


def age(birth_date: str, today: date) -> int:
    """Completed years."""
    born = calendar_date(birth_date)
    if born is None:
        return 0
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def newborn(traits: Traits, *, today: date) -> bool:
    """Whether the person may not be registered yet: INSi knows nobody before the civil register has said so."""
    born = calendar_date(traits.birth_date)
    return born is not None and timedelta() <= today - born < NEWBORN_FOR


def _given(traits: Traits) -> list[str]:
    return [traits.first_birth_given_name, *traits.birth_given_names.split()]


def _names(one: str | None, other: str | None) -> float:
    if one is None or other is None:
        return 0.0
    return float(JaroWinkler.similarity(comparison_key(one), comparison_key(other)))


def _dates(one: str, other: str) -> float:
    if one == other:
        return 1.0
    return _NEAR_DATE if other in blocking_dates(one) else 0.0
