"""Facts about identities, from the service ins. Health identity travels sealed."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from navette_contracts.events.base import Event, OpaqueId, Part, Version
from navette_contracts.parsing import OpenEnum
from navette_contracts.sealed import Sealed


class IdentityStatus(OpenEnum):
    """The four statuses of an identity (RNIV)."""

    PROVISOIRE = "provisoire"
    RECUPEREE = "recuperee"
    VALIDEE = "validee"
    QUALIFIEE = "qualifiee"
    OTHER = "other"


class IdentityAttribute(OpenEnum):
    """Attributes an identity may carry beside its status (RNIV)."""

    DOUTEUSE = "douteuse"
    FICTIVE = "fictive"
    HOMONYME = "homonyme"
    OTHER = "other"


class Traits(Part):
    """The traits of an identity. Always sealed in an event."""

    birth_name: Annotated[str, Field(min_length=1, max_length=100)]
    first_birth_given_name: Annotated[str, Field(min_length=1, max_length=100)]
    birth_given_names: Annotated[str, Field(min_length=1, max_length=300)]
    """All birth given names, separated by spaces."""
    birth_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """YYYY-MM-DD. A string: RNIV allows dates no calendar knows (unknown day or month)."""
    sex: Literal["M", "F", "I"]
    birth_place_code: Annotated[str, Field(pattern=r"^[0-9][0-9AB][0-9]{3}$")]
    """INSEE code (COG) of the place of birth, 5 characters."""
    used_name: Annotated[str, Field(max_length=100)] | None = None
    used_given_name: Annotated[str, Field(max_length=100)] | None = None
    local_id: Annotated[str, Field(max_length=64)] | None = None
    """The site's own patient number (IPP)."""


class Ins(Part):
    """The national health identity. Always sealed in an event."""

    matricule: Annotated[str, Field(pattern=r"^\d{6}[0-9AB]\d{8}$")]
    """15 characters: 13 of the NIR or NIA (the 7th is a letter in Corsica), then the 2 of its key."""
    oid: Annotated[str, Field(pattern=r"^1(\.(0|[1-9]\d*))+$")]
    """OID of the matricule's authority (NIR, NIA, or the test ones)."""


class PatientIdentified(Event):
    """Revision n of an identity: its status, attributes and sealed traits; its INS only when qualified."""

    type: ClassVar[str] = "patient.identified.v1"
    key_field: ClassVar[str] = "patient_id"

    patient_id: OpaqueId
    revision: Version
    status: IdentityStatus
    attributes: tuple[IdentityAttribute, ...] = ()
    site_id: OpaqueId
    traits: Sealed[Traits]
    ins: Sealed[Ins] | None = None

    @model_validator(mode="after")
    def _matricule_only_if_qualified(self) -> Self:
        # DESIGN §2, RNIV: no other status may carry the matricule anywhere, not even sealed.
        if self.ins is not None and self.status is not IdentityStatus.QUALIFIEE:
            raise ValueError("ins is only allowed with the status qualifiee")
        return self


class PatientMerged(Event):
    """Two records are one person: what belonged to the absorbed one now belongs to the surviving one."""

    type: ClassVar[str] = "patient.merged.v1"
    key_field: ClassVar[str] = "surviving_id"

    surviving_id: OpaqueId
    absorbed_id: OpaqueId
    revision: Version
    """Revision of the surviving identity after the merge."""
    absorbed_revision: Version | None = None
    """Revision that closed the absorbed identity. A later one says that the merge was undone."""

    @model_validator(mode="after")
    def _two_records(self) -> Self:
        if self.surviving_id == self.absorbed_id:
            raise ValueError("absorbed_id must differ from surviving_id")
        return self
