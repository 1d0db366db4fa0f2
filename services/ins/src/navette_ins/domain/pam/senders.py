"""The systems that may send identities: which site they speak for and how far they are trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,40}$")]
Text = Annotated[str, Field(min_length=1, max_length=180)]


class Trust(StrEnum):
    """What a sender's word on an identity is worth."""

    OWN_DOMAIN = "own_domain"
    """The identity server of the site's own identification domain: its facts are the site's (RIS.INS.55)."""
    CONTRACT = "contract"
    """Another domain under a *contrat de confiance*: taken over as qualified (RIS.INS.39)."""
    THIRD_PARTY = "third_party"
    """Another domain: to be checked here and confirmed by INSi before it counts (RIS.INS.38)."""


class Sender(BaseModel):
    """One sending application of one facility (MSH-3 and MSH-4)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """How logs, histories and operators call it."""
    application: Text
    facility: Text
    site_id: Text
    authority: str = Field(default="", max_length=180)
    """Namespace (CX-4.1) under which its local identifiers stand."""
    authority_id: str = Field(default="", max_length=180)
    """Universal id (CX-4.2) of the same: FINESS, OID or name."""
    trust: Trust = Trust.THIRD_PARTY
    takes_a08: bool = False
    """An old system that still sends A08, excluded in France: read as an A31 of the identity alone."""

    @property
    def trusted(self) -> bool:
        """Whether its facts are taken over."""
        return self.trust is not Trust.THIRD_PARTY

    @property
    def actor(self) -> str:
        """Who the history names for what it changes."""
        return f"pam:{self.name}"

    @property
    def domain(self) -> str:
        """The name under which its local identifiers are remembered."""
        return self.authority_id or self.authority


ACTOR = "pam:"
"""Start of the actor of everything a message changed."""


class SendersInvalid(ValueError):  # noqa: N818 - the senders are what is invalid
    """The file of senders contradicts itself; the message names the sender and the rule."""


_SENDERS = TypeAdapter(tuple[Sender, ...])


def load_senders(data: bytes, sites: Iterable[str]) -> Mapping[tuple[str, str], Sender]:
    """Senders by (MSH-3, MSH-4), from a JSON array.

    Raises SendersInvalid or pydantic.ValidationError: twice the same, no authority, a site nobody knows.
    """
    known = frozenset(sites)
    found: dict[tuple[str, str], Sender] = {}
    for one in _SENDERS.validate_json(data):
        key = (one.application, one.facility)
        if key in found or any(one.name == other.name for other in found.values()):
            message = f"{one.name}: given twice"
            raise SendersInvalid(message)
        if not one.domain:
            message = f"{one.name}: authority or authority_id is required"
            raise SendersInvalid(message)
        if known and one.site_id not in known:
            message = f"{one.name}: unknown site"
            raise SendersInvalid(message)
        found[key] = one
    return found
