"""What the API takes and gives. Traits and matricule appear in answers only, to people of the site."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal, Self

from navette_chassis.http import ApiModel
from navette_documents.identifiers.nir import INS_DEMO, INS_NIA, INS_NIR, INS_TEST
from pydantic import ConfigDict, Field

from navette_ins.adapters.history import Change
from navette_ins.api.french import CAUTIONS, SEARCH_CODES, SEARCH_STATES
from navette_ins.domain.birth_dates import completed_date
from navette_ins.domain.cautions import Caution
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.facts import ProofSeen, TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import Search
from navette_ins.domain.traits import Traits

_Name = Annotated[str, Field(min_length=1, max_length=300)]
_NATURES = {INS_NIR: "NIR", INS_NIA: "NIA", INS_TEST: "TEST", INS_DEMO: "DEMO"}


def nature_of(oid: str) -> str:
    """NIR, NIA, TEST or DEMO, as shown beside a matricule."""
    return _NATURES.get(oid, "INCONNU")


class NewPatient(ApiModel):
    """A person as the document says. No field beyond the strict traits is compulsory (RIS.INS.12)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site_id": "lilas",
                    "birth_name": "DUVAL-FICTIF",
                    "first_birth_given_name": "CAMILLE",
                    "birth_given_names": "CAMILLE ROSE",
                    "birth_date": "1968-04-17",
                    "sex": "F",
                    "birth_place_code": "38185",
                    "used_name": "EPOUX-FICTIF",
                    "local_id": "IPP-100200",
                }
            ]
        }
    )

    site_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
    birth_name: _Name
    first_birth_given_name: _Name
    birth_given_names: _Name | None = None
    """All of them, separated by spaces; the first one alone when left out."""
    birth_date: Annotated[str, Field(max_length=10)] | None = None
    """YYYY-MM-DD; may be left out when `birth_date_on_document` says enough to complete it."""
    birth_date_completed: bool = False
    birth_date_on_document: Annotated[str, Field(max_length=10)] | None = None
    """What the document says when that is no calendar date: 00 for what is unknown, or a lunar date."""
    sex: Literal["M", "F", "I"]
    birth_place_code: Annotated[str, Field(max_length=5)]
    used_name: _Name | None = None
    used_given_name: _Name | None = None
    local_id: Annotated[str, Field(max_length=64)] | None = None

    def traits(self) -> Traits:
        """The traits to record. Raises RuleBroken for a birth date that is neither given nor to be completed."""
        values = self.model_dump(exclude={"site_id"})
        values["birth_given_names"] = self.birth_given_names or self.first_birth_given_name
        if self.birth_date is None:
            completed = None if self.birth_date_on_document is None else completed_date(self.birth_date_on_document)
            if completed is None:
                raise RuleBroken("birth_date", "required")
            values |= {"birth_date": completed, "birth_date_completed": True}
        return Traits.model_validate(values)


class NewCheck(ApiModel):
    """A high-trust check; `document_kind` is a PAM code of ZFD-7 (CN, PA, CS, …), none is preselected."""

    document_kind: Annotated[str, Field(max_length=2, examples=["CN"])]
    document_expires_on: date | None = None
    """Day after which the document is no longer valid. Neither its number nor an image of it is taken."""


class Decision(ApiModel):
    """A person's word on a result of INSi."""

    accepted: Annotated[bool, Field(examples=[True])]
    confirmed: list[str] = Field(default_factory=list, max_length=10, examples=[["birth_name"]])
    """Decisive traits that differ and were looked at, value by value: all of them, to accept."""
    document_kind: Annotated[str, Field(max_length=2)] | None = None
    """Document held again, when INSi gives other traits to an identity that is qualified."""


class InsAnswer(ApiModel):
    """The INS of a qualified identity."""

    matricule: str
    oid: str
    nature: str


class Warned(ApiModel):
    """Something a careful person would look at; it refuses nothing."""

    code: str
    message: str


class PatientAnswer(ApiModel):
    """An identity. `ins` only when it is qualified (RIS.INS.37) and the caller may see it (RIS.INS.05)."""

    patient_id: str
    site_id: str
    revision: int
    status: str
    attributes: list[str]
    strict_traits_locked: bool
    traits: Traits
    ins: InsAnswer | None
    ins_hidden: bool = False
    """The identity is qualified, but this caller may not see its INS."""
    merged_into: str | None = None
    proof: ProofSeen | None = None
    check: TrustCheck | None = None
    warnings: list[Warned] = Field(default_factory=list)

    @classmethod
    def of(cls, identity: Identity, *, sees_ins: bool = True, cautions: Iterable[Caution] = ()) -> Self:
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
            if known is None or not sees_ins
            else InsAnswer(matricule=known.matricule, oid=known.oid, nature=nature_of(known.oid)),
            ins_hidden=known is not None and not sees_ins,
            merged_into=identity.merged_into,
            proof=identity.proof,
            check=identity.check,
            warnings=[Warned(code=one.value, message=CAUTIONS[one]) for one in cautions],
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
