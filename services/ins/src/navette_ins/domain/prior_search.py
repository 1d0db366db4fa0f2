"""The search that comes before any creation (*recherche d'antériorité*, R17; spec/ins.md §4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import parse_matricule

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.name_starts import given_name_starts, letters_of, name_starts, starts_with
from navette_ins.domain.wire_names import comparison_key

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LOCAL_ID = re.compile(r"[A-Za-z0-9._/-]{1,64}", re.ASCII)


class Criterion(StrEnum):
    """What a search is made by."""

    BIRTH_DATE = "birth_date"
    MATRICULE = "matricule"
    LOCAL_ID = "local_id"


@dataclass(frozen=True, slots=True, repr=False)
class PriorSearch:
    """One question. Its repr shows no criterion."""

    criterion: Criterion
    value: str
    """YYYY-MM-DD, as recorded or as on the document; or the 15 characters of a matricule; or an IPP."""
    name: str = ""
    """First letters of the birth name or of the used name; "" for any."""
    given_name: str = ""
    """First letters of any given name; "" for any."""

    def __repr__(self) -> str:
        return f"PriorSearch({self.criterion.value}, …)"

    def matches(self, identity: Identity) -> bool:
        """Whether an identity is an answer, whatever an index said."""
        traits = identity.traits
        if self.criterion is Criterion.LOCAL_ID:
            return traits.local_id == self.value
        if self.criterion is Criterion.MATRICULE:
            return self.value in matricules_of(identity)
        if self.value not in (traits.birth_date, traits.birth_date_on_document):
            return False
        return (not self.name or starts_with(name_starts(traits), self.name)) and (
            not self.given_name or starts_with(given_name_starts(traits), self.given_name)
        )


def prior_search(
    *,
    birth_date: str | None = None,
    name: str | None = None,
    given_name: str | None = None,
    matricule: str | None = None,
    local_id: str | None = None,
) -> PriorSearch:
    """The question a person typed.

    Raises RuleBroken: "one_criterion" unless exactly one of birth date, matricule and local id is given,
    "needs_birth_date" for letters without a date, and the rule of a value that is malformed. A matricule has
    15 characters and its key is checked before anything is looked for (RIS.INS.08).
    """
    if sum(one is not None for one in (birth_date, matricule, local_id)) != 1:
        raise RuleBroken("search", "one_criterion")
    for field, letters in (("name", name), ("given_name", given_name)):
        if letters is not None and birth_date is None:
            raise RuleBroken(field, "needs_birth_date")
    if matricule is not None:
        try:
            return PriorSearch(Criterion.MATRICULE, parse_matricule(matricule).value)
        except InvalidValue as invalid:
            raise RuleBroken("matricule", invalid.rule) from None
    if local_id is not None:
        if not _LOCAL_ID.fullmatch(local_id):
            raise RuleBroken("local_id", "format")
        return PriorSearch(Criterion.LOCAL_ID, local_id)
    if birth_date is None or not _DATE.fullmatch(birth_date):
        raise RuleBroken("birth_date", "format")
    return PriorSearch(
        Criterion.BIRTH_DATE,
        birth_date,
        name="" if name is None else letters_of(name, "name"),
        given_name="" if given_name is None else letters_of(given_name, "given_name"),
    )


def matricules_of(identity: Identity) -> frozenset[str]:
    """The matricule of an identity and those it had before (a change of sex gives a new one)."""
    now = [] if identity.recovery is None else [identity.recovery.matricule]
    return frozenset([*now, *(former.matricule for former in identity.former_ins)])


def place_in_list(identity: Identity) -> tuple[str, str, str, str]:
    """Sort key of an answer: birth name, given names, birth date, id."""
    traits = identity.traits
    return (
        comparison_key(traits.birth_name),
        comparison_key(traits.birth_given_names),
        traits.birth_date,
        identity.patient_id,
    )
