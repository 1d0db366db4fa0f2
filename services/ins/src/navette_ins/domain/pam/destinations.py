"""The systems that are told of identities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from navette_ins.domain.pam.senders import Name, Text


class ConnectedSystem(BaseModel):
    """One receiving application, over MLLP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    application: Text
    """MSH-5."""
    facility: Text
    """MSH-6."""
    sending_application: Text = "NAVETTE"
    """MSH-3."""
    sending_facility: Text
    """MSH-4."""
    sites: frozenset[str] = frozenset()
    """Sites whose identities it is told of; empty: all."""
    echo_of: str | None = None
    """Name of the sender that is the same system: it is not told what it said."""
    charset: Literal["UNICODE UTF-8", "8859/15"] = "UNICODE UTF-8"
    ca: Path | None = None
    """Authorities of its certificate. Without one the connection is plain."""
    cert: Path | None = None
    key: Path | None = None
    answer_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.cert is not None and self.ca is None:
            raise ValueError("a client certificate needs the ca of the server")
        return self

    @property
    def channel(self) -> str:
        """Delivery channel and endpoint of this system."""
        return f"pam-out-{self.name}"

    def concerned(self, site_id: str) -> bool:
        """Whether it is told of this site's identities."""
        return not self.sites or site_id in self.sites


_SYSTEMS = TypeAdapter(tuple[ConnectedSystem, ...])


def load_systems(data: bytes) -> tuple[ConnectedSystem, ...]:
    """Connected systems from a JSON array. Raises pydantic.ValidationError, or ValueError for a name given twice."""
    systems = _SYSTEMS.validate_json(data)
    if len({one.name for one in systems}) != len(systems):
        raise ValueError("connected systems: a name is given twice")
    return systems
