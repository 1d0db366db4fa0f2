"""What a careful person would notice on a record: warnings, never refusals (spec/ins.md §3, §9.2, §13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import parse_matricule

from navette_ins.domain.cases import CaseKind
from navette_ins.domain.facts import Recovery
from navette_ins.domain.homonyms import age, newborn
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import UNKNOWN_PLACE, Traits
from navette_ins.domain.wire_names import comparison_key


class Caution(StrEnum):
    """One warning; the API says it in French."""

    UNKNOWN_COG = "unknown_cog"
    PLACE_UNKNOWN = "place_unknown"
    DATE_COMPLETED = "date_completed"
    SEX_UNDETERMINED = "sex_undetermined"
    NEWBORN = "newborn"
    USED_NAME_AS_BIRTH_NAME = "used_name_as_birth_name"
    KEY_INVALID = "key_invalid"
    SEX_DIFFERS_FROM_NUMBER = "sex_differs_from_number"
    DATE_DIFFERS_FROM_NUMBER = "date_differs_from_number"
    PLACE_DIFFERS_FROM_NUMBER = "place_differs_from_number"
    PROOF_OF_LOW_TRUST = "proof_of_low_trust"
    TO_VALIDATE = "to_validate"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    POSSIBLE_COLLISION = "possible_collision"
    POSSIBLE_HOMONYM = "possible_homonym"
    NOT_CONFIRMED_BY_INSI = "not_confirmed_by_insi"
    RECEIVED_INS_NOT_CONFIRMED = "received_ins_not_confirmed"


KnowsPlace = Callable[[str], bool]
"""Whether a COG code is on the list; a code of another time is on none."""

OF_CASES: Final[Mapping[CaseKind, Caution]] = MappingProxyType(
    {
        CaseKind.DUPLICATE: Caution.POSSIBLE_DUPLICATE,
        CaseKind.COLLISION: Caution.POSSIBLE_COLLISION,
        CaseKind.HOMONYM: Caution.POSSIBLE_HOMONYM,
        CaseKind.VERIFICATION_KO: Caution.NOT_CONFIRMED_BY_INSI,
        CaseKind.RECEIVED_INS_KO: Caution.RECEIVED_INS_NOT_CONFIRMED,
    }
)
"""What a pending case about a record says to whoever reads it."""

_SPOUSE_WORDS: Final = frozenset({"NEE", "EP", "EPSE", "EPOUSE", "VEUVE", "VVE", "DIVORCEE"})
_ADULT: Final = 18


def cautions(identity: Identity, *, knows_place: KnowsPlace, not_found: bool, today: date) -> tuple[Caution, ...]:
    """Every warning of a record. `not_found`: INSi knows nobody with these traits."""
    traits, found = identity.traits, []
    if traits.birth_place_code == UNKNOWN_PLACE:
        found.append(Caution.PLACE_UNKNOWN)
    elif not knows_place(traits.birth_place_code):
        found.append(Caution.UNKNOWN_COG)
    if traits.birth_date_completed:
        found.append(Caution.DATE_COMPLETED)
    if traits.sex == "I":
        found.append(Caution.SEX_UNDETERMINED)
    if identity.recovery is None and newborn(traits, today=today):
        found.append(Caution.NEWBORN)
    if identity.recovery is None and suspect_birth_name(traits, not_found=not_found, today=today):
        found.append(Caution.USED_NAME_AS_BIRTH_NAME)
    if identity.recovery is not None:
        found += _number_against_traits(identity.recovery, traits)
    if identity.proof is not None and identity.check is None and not identity.untrusted:
        found.append(Caution.TO_VALIDATE if identity.proof.high_trust else Caution.PROOF_OF_LOW_TRUST)
    return tuple(found)


def suspect_birth_name(traits: Traits, *, not_found: bool, today: date) -> bool:
    """Whether the birth name is probably the name of use: the first cause of a person not found (spec/ins.md §13).

    Three signs: a word of marriage inside the name; the same name in both fields for a woman of age; a woman of age
    without a used name whom INSi does not know. No sign changes anything: a person looks at the document.
    """
    words = set(comparison_key(traits.birth_name).replace(".", " ").split())
    if len(words) > 1 and words & _SPOUSE_WORDS:
        return True
    if traits.sex != "F" or age(traits.birth_date, today) < _ADULT:
        return False
    if traits.used_name is None:
        return not_found
    return comparison_key(traits.used_name) == comparison_key(traits.birth_name)


def _number_against_traits(recovery: Recovery, traits: Traits) -> list[Caution]:
    """They legitimately differ after a change of sex, a correction, a birth abroad, a renumbered commune."""
    try:
        number = parse_matricule(recovery.matricule)
    except InvalidValue:
        return [Caution.KEY_INVALID]
    found = []
    if traits.sex in ("M", "F") and number.sex_digit != ("1" if traits.sex == "M" else "2"):
        found.append(Caution.SEX_DIFFERS_FROM_NUMBER)
    year, month = number.body[1:3], number.body[3:5]
    if year != traits.birth_date[2:4] or (number.birth_month_known and month != traits.birth_date[5:7]):
        found.append(Caution.DATE_DIFFERS_FROM_NUMBER)
    if traits.birth_place_code not in (UNKNOWN_PLACE, number.place_code):
        found.append(Caution.PLACE_DIFFERS_FROM_NUMBER)
    return found
