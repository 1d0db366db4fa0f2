"""INSi's traits beside the local ones: what agrees, what differs, and what may not be taken over (spec/ins.md §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import INS_OIDS, parse_matricule

from navette_ins.domain.insi.reply import Individual
from navette_ins.domain.traits import Traits, starts_list
from navette_ins.domain.wire_names import comparison_key

DECISIVE = frozenset({"birth_name", "first_birth_given_name", "birth_date", "sex"})
"""A difference in one of these is decided by a person who sees both values."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Field names only: values stay where they are sealed."""

    differences: tuple[str, ...]
    unusable: str | None
    """Why the answer may not be taken over at all (RIS.INS.15, RIS.INS.16), or None."""
    matricule_suspect: bool
    """The key of the matricule is wrong: stored as received, decided by a person."""

    @property
    def agrees(self) -> bool:
        """Whether the answer may be accepted without asking anybody."""
        return self.unusable is None and not self.matricule_suspect and not DECISIVE & set(self.differences)


def compare(local: Traits, found: Individual) -> Comparison:
    """Compare on the comparison key, as a careful person would."""
    pairs = {
        "birth_name": comparison_key(local.birth_name) == comparison_key(found.birth_name),
        "first_birth_given_name": starts_list(local.first_birth_given_name, found.given_names),
        "birth_given_names": comparison_key(local.birth_given_names) == comparison_key(found.given_names),
        "birth_date": local.birth_date == found.birth_date,
        "sex": local.sex == found.sex,
        "birth_place_code": found.birth_place_code in ("", local.birth_place_code),
    }
    return Comparison(
        differences=tuple(field for field, same in pairs.items() if not same),
        unusable=_unusable(found),
        matricule_suspect=not _sound(found.matricule),
    )


def traits_taken_over(local: Traits, found: Individual) -> Traits:
    """The strict traits of INSi, unaltered; the complementary ones of the record."""
    first = local.first_birth_given_name
    kept = starts_list(first, found.given_names)
    words = found.given_names.split(" ")
    return local.model_copy(
        update={
            "birth_name": found.birth_name,
            "birth_given_names": found.given_names,
            # A compound first name may hold a space in the national base: the local cut stays if it fits (EXI ID 10).
            "first_birth_given_name": " ".join(words[: len(comparison_key(first).split())])
            if kept and "-" not in words[0]
            else words[0],
            "birth_date": found.birth_date,
            "sex": found.sex,
            "birth_place_code": found.birth_place_code or local.birth_place_code,
        }
    )


def _unusable(found: Individual) -> str | None:
    if found.birth_date[5:7] == "00" or found.birth_date[8:10] == "00" or len(found.birth_date) != 10:
        return "incomplete_birth_date"
    if not found.birth_name or not found.given_names or found.sex not in ("M", "F"):
        return "missing_trait"
    if found.oid not in INS_OIDS:
        return "unknown_oid"
    if len(found.matricule) != 15:
        return "matricule_without_key"
    return None


def _sound(matricule: str) -> bool:
    try:
        return parse_matricule(matricule).value == matricule
    except InvalidValue:
        return False
