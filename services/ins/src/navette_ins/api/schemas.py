"""What the API takes and gives. Traits and matricule appear in answers only, to people of the site."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from navette_chassis.http import ApiModel
from navette_contracts.events import IdentityAttribute
from navette_documents.identifiers.nir import INS_DEMO, INS_NIA, INS_NIR, INS_TEST
from pydantic import Field

from navette_ins.adapters.history import Change
from navette_ins.api.french import SEARCH_CODES, SEARCH_STATES
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import Search
from navette_ins.domain.traits import Traits

_Name = Annotated[str, Field(min_length=1, max_length=300)]
_NATURES = {INS_NIR: "NIR", INS_NIA: "NIA", INS_TEST: "TEST", INS_DEMO: "DEMO"}


class NewPatient(ApiModel):
    """A person as the document says. No field beyond the strict traits is compulsory (RIS.INS.12)."""

    site_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
    birth_name: _Name
    first_birth_given_name: _Name
    birth_given_names: _Name | None = None
    """All of them, separated by spaces; the first one alone when left out."""
    birth_date: Annotated[str, Field(max_length=10)]
    birth_date_completed: bool = False
    sex: Literal["M", "F", "I"]
    birth_place_code: Annotated[str, Field(max_length=5)]
    used_name: _Name | None = None
    used_given_name: _Name | None = None
    local_id: Annotated[str, Field(max_length=64)] | None = None

    def traits(self) -> Traits:
        """The traits to record."""
        values = self.model_dump(exclude={"site_id"})
        return Traits.model_validate(
            values | {"birth_given_names": self.birth_given_names or self.first_birth_given_name}
        )


class NewCheck(ApiModel):
    """A high-trust check; `document_kind` is a PAM code of ZFD-7 (CN, PA, CS, …), none is preselected."""

    document_kind: Annotated[str, Field(max_length=2)]


class NewAttribute(ApiModel):
    """An attribute to give or to take away."""

    attribute: IdentityAttribute
    present: bool = True


class Decision(ApiModel):
    """A person's word on a result of INSi."""

    accepted: bool


class InsAnswer(ApiModel):
    """The INS of a qualified identity."""

    matricule: str
    oid: str
    nature: str


class PatientAnswer(ApiModel):
    """An identity. `ins` only when it is qualified (RIS.INS.37)."""

    patient_id: str
    site_id: str
    revision: int
    status: str
    attributes: list[str]
    strict_traits_locked: bool
    traits: Traits
    ins: InsAnswer | None

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """The answer for an identity."""
        known = identity.recovery if identity.status == "qualifiee" else None
        return cls(
            patient_id=identity.patient_id,
            site_id=identity.site_id,
            revision=identity.revision,
            status=identity.status.value,
            attributes=sorted(identity.attributes),
            strict_traits_locked=identity.strict_traits_locked,
            traits=identity.traits,
            ins=None
            if known is None
            else InsAnswer(matricule=known.matricule, oid=known.oid, nature=_NATURES.get(known.oid, "INCONNU")),
        )


class SearchAnswer(ApiModel):
    """A search in INSi and what to do next."""

    call_id: str
    patient_id: str
    state: str
    state_label: str
    code: str | None
    differences: list[str]
    who_must_act: str
    requested_at: datetime
    decided_by: str | None

    @classmethod
    def of(cls, search: Search) -> Self:
        """The answer for a search."""
        return cls(
            call_id=search.search_id,
            patient_id=search.patient_id,
            state=search.state.value,
            state_label=SEARCH_CODES.get(search.code or "", SEARCH_STATES[search.state]),
            code=search.code,
            differences=list(search.differences),
            who_must_act=search.who_must_act,
            requested_at=search.requested_at,
            decided_by=search.decided_by,
        )


class HistoryAnswer(ApiModel):
    """Every change of an identity, oldest first: who, when, from which status to which."""

    changes: list[Change]
