"""Bodies and answers of the identity acts: edits, facts, history values, comparison."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from navette_chassis.http import ApiModel
from navette_contracts.events import IdentityAttribute
from pydantic import ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=300)]
Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["Nom de naissance lu sur le passeport"])]


class EditTraits(ApiModel):
    """Traits to change; one that is left out stays. `used_name: null` takes the used name away."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"birth_name": "DUVAL-FICTIF", "confirm": True, "reason": "Lu sur le passeport"}]
        }
    )

    birth_name: Name | None = None
    first_birth_given_name: Name | None = None
    birth_given_names: Name | None = None
    birth_date: Annotated[str, Field(max_length=10)] | None = None
    birth_date_completed: bool | None = None
    birth_date_on_document: Annotated[str, Field(max_length=10)] | None = None
    sex: Literal["M", "F", "I"] | None = None
    birth_place_code: Annotated[str, Field(max_length=5)] | None = None
    used_name: Name | None = None
    used_given_name: Name | None = None
    local_id: Annotated[str, Field(max_length=64)] | None = None
    check_still_holds: bool = True
    """The document that was held says the new traits too."""
    confirm: bool = False
    """The caller was told what this change costs (status, INS) and wants it."""
    reason: Reason | None = None

    def changes(self) -> dict[str, Any]:
        """The traits that were given."""
        own = {"check_still_holds", "confirm", "reason"}
        optional = {"birth_date_on_document", "used_name", "used_given_name", "local_id"}
        said = self.model_dump(include=self.model_fields_set - own)
        return {name: value for name, value in said.items() if value is not None or name in optional}


class Because(ApiModel):
    """Why a supervisor does something; kept sealed with the change."""

    reason: Reason | None = None


class NewAttribute(ApiModel):
    """An attribute to give or to take away."""

    attribute: Annotated[IdentityAttribute, Field(examples=["douteuse"])]
    present: bool = True


class FieldValues(ApiModel):
    """One field before and after."""

    field: str
    before: Any
    after: Any


class ChangeValues(ApiModel):
    """What one change replaced and what it wrote (RIS.INS.17, RIS.INS.26)."""

    revision: int
    action: str
    by: str
    at: str
    reason: str | None
    fields: list[FieldValues]


class ComparedTrait(ApiModel):
    """One trait as recorded and as INSi says it."""

    field: str
    label: str
    local: str | None
    insi: str | None
    differs: bool
    decisive: bool
    """To be confirmed by name before the answer is accepted."""


class ComparisonAnswer(ApiModel):
    """INSi's answer beside the record, before anything is replaced (RIS.INS.13), and who decided."""

    call_id: str
    state: str
    traits: list[ComparedTrait]
    masked_matricule: str
    nature: str
    former_numbers: int
    matricule_suspect: bool
    unusable: str | None
    decided_by: str | None
    decided_at: datetime | None


class ProofAnswer(ApiModel):
    """A kind of document as the site takes it (RIS.INS.19)."""

    code: str
    label: str
    confidence: Literal["high", "low"]


class ProofsAnswer(ApiModel):
    """Documents of a site; none is preselected. Copies of them are not kept."""

    proofs: list[ProofAnswer]
    automatic_validation: bool


class NewArrival(ApiModel):
    """A person at the reception."""

    venue_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["V2026-1122-17"])] | None = (
        None
    )
    """Number of the venue in the RIS; one is made when left out."""


class VenueAnswer(ApiModel):
    """A coming of a patient."""

    venue_id: str
    patient_id: str
    site_id: str
    day: str
    opened_at: datetime
    closed_at: datetime | None
