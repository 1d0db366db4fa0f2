"""Which calls a search makes, one after the other (spec/ins.md §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from navette_ins.domain.traits import UNKNOWN_PLACE, Traits
from navette_ins.domain.wire_names import to_wire

MAX_CALLS = 6
"""Per person and venue."""

FOUND, NOT_FOUND, SEVERAL = "00", "01", "02"


@dataclass(frozen=True, slots=True)
class Query:
    """Traits on the wire."""

    birth_name: str
    given_name: str
    sex: str
    birth_date: str
    birth_place_code: str | None = None

    def __repr__(self) -> str:
        return "Query(…)"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was made, and its CodeCR."""

    query: Query
    code: str


def next_query(traits: Traits, asked: Sequence[Asked], *, allowed: int = MAX_CALLS) -> Query | None:
    """The next call, or None when the search is over: found, or nothing left to try.

    One given name at a time in the order of the document (A, B), all of them together (C); several answers add
    given names, then the birth place (D). A used name, another sex or another date is never tried: each could be
    somebody else. `allowed`: calls left of the six of this coming. Raises RuleBroken for a name INSi does not take.
    """
    if asked and asked[-1].code == FOUND:
        return None
    if len(asked) >= allowed:
        return None
    several = any(one.code == SEVERAL for one in asked)
    made = {one.query for one in asked}
    for query in _narrowing(traits) if several else _widening(traits):
        if query not in made:
            return query
    return None


def final_code(asked: Sequence[Asked]) -> str:
    """What the search as a whole came to: 00, else 02 if one call had several answers, else 01."""
    codes = {one.code for one in asked}
    return FOUND if FOUND in codes else SEVERAL if SEVERAL in codes else NOT_FOUND


def _given_names(traits: Traits) -> list[str]:
    first = to_wire(traits.first_birth_given_name, "given_name")
    every = [to_wire(one, "given_name") for one in traits.birth_given_names.split()]
    rest = every[len(first.replace("-", " ").split()) :] if " " in first else every[1:]
    return [first, *rest]


def _widening(traits: Traits) -> list[Query]:
    base = _base(traits)
    names = _given_names(traits)
    queries = [_with(base, name) for name in names]
    if len(names) > 1:
        queries.append(_with(base, " ".join(names)))
    return queries


def _narrowing(traits: Traits) -> list[Query]:
    base = _base(traits)
    names = _given_names(traits)
    queries = [_with(base, " ".join(names))] if len(names) > 1 else []
    if traits.birth_place_code != UNKNOWN_PLACE:
        queries.append(_with(base, " ".join(names), traits.birth_place_code))
    return queries


def _base(traits: Traits) -> Query:
    return Query(
        birth_name=to_wire(traits.birth_name, "birth_name"), given_name="", sex=traits.sex, birth_date=traits.birth_date
    )


def _with(base: Query, given_name: str, place: str | None = None) -> Query:
    return Query(base.birth_name, given_name, base.sex, base.birth_date, place)
