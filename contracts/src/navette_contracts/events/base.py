"""The base of every event: frozen, strict for those who produce it, tolerant for those who read it."""

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from navette_contracts.parsing import TOLERANT

MAX_INTEGER: Final = 2**63 - 1
"""The largest integer that BSON holds: a larger one would make every attempt to handle its event fail."""


class ContractError(Exception):
    """A message breaks its contract. Names fields and rules, never the values found."""


def _no_matricule(value: str) -> str:
    # Opaque ids become Kafka keys, subjects and span attributes: a matricule must not slip in as one.
    if re.fullmatch(r"[1-478]\d{5}[\dAB]\d{6}(\d{2})?", value):
        raise ValueError("an opaque id must not look like an INS matricule")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # Not a ValueError: Pydantic would let it through, past everything that refuses a bad message.
        raise ValueError("an instant must have a UTC date between the years 1 and 9999") from None


def _storable(value: int) -> int:
    if value > MAX_INTEGER:
        raise ValueError("a number must fit 64 bits")
    return value


OpaqueId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"), AfterValidator(_no_matricule)]
"""An id that says nothing about a person; UUIDv7 text unless it names something of the configuration."""

Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An instant; a naive datetime is refused. Always held and written in UTC."""

Rpps = Annotated[str, Field(pattern=r"^\d{11}$")]
"""RPPS number of a professional: 11 digits, without the leading 8 of PS_IdNat."""

Finess = Annotated[str, Field(pattern=r"^[0-9][0-9AB][0-9]{7}$")]
"""FINESS number of a structure: 9 characters (the second is a letter in Corsica)."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 digest, 64 lower-case hexadecimal digits."""

DocumentUid = Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9]\d*))+(\^[A-Za-z0-9._:-]{1,64})?$", max_length=128)]
"""Identifier of a document: an OID, or OID^extension."""

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/#-]{1,128}$")]
"""A code of a table (error, action, kind): no room for free text."""

Version = Annotated[int, Field(ge=1), AfterValidator(_storable)]
"""Number of a version or revision, from 1."""

Size = Annotated[int, Field(ge=1), AfterValidator(_storable)]
"""A size in bytes."""


class Part(BaseModel):
    """A frozen piece of an event: extra fields forbidden, no coercion, inputs never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Event(Part):
    """A fact that happened in one service and that others may act on.

    `type` is the CloudEvents type with its major version; the topic is the type without it. `key_field`
    names the field whose value is the Kafka key and the CloudEvents subject.
    """

    type: ClassVar[str]
    key_field: ClassVar[str]

    @property
    def key(self) -> str:
        """The Kafka key: all events with the same key are read in the order they were written."""
        return str(getattr(self, self.key_field))

    @classmethod
    def topic(cls) -> str:
        """Name of the topic that carries this event: the type without its major version."""
        return cls.type.rsplit(".v", 1)[0]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a message body as a consumer: unknown fields ignored, unknown enum values become OTHER.

        Raises ContractError, which names the fields and the rules broken and quotes nothing.
        """
        try:
            return cls.model_validate_json(data, extra="ignore", context=TOLERANT)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            # Only names the contract itself defines: a key of a mapping could be anything.
            listed = ", ".join(sorted({f"{_path(fault['loc'])}: {fault['type']}" for fault in faults})[:10])
            raise ContractError(f"{cls.type} breaks its contract ({listed})") from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location) or "body"
