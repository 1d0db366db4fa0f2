"""The two facts a status follows from, and what came with them (RNIV EXI SI 07, spec/ins.md §5.1)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from navette_contracts.events import IdentityStatus
from pydantic import BaseModel, ConfigDict

Channel = Literal["INSI", "CV", "AV", "CB", "SM", "RFID"]
"""How the INS came (ZFD-5): teleservice by traits, carte Vitale, Appli carte Vitale, datamatrix, typed, RFID."""


class Part(BaseModel):
    """Base of what an identity is made of: frozen, nothing unknown, no value in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FormerIns(Part):
    """A matricule the national base once gave this person."""

    matricule: str
    oid: str

    def __repr__(self) -> str:
        return "FormerIns(…)"

    __str__ = __repr__


class Recovery(Part):
    """First fact: INSi answered 00 and the answer was accepted."""

    matricule: str
    """15 characters, key included, as received."""
    oid: str
    search_id: str
    at: datetime
    accepted_by: str
    """Subject of the person, or "insi-auto" when every compared trait agreed."""
    channel: Channel = "INSI"

    @property
    def ins(self) -> FormerIns:
        """The number alone, as the history of numbers keeps it."""
        return FormerIns(matricule=self.matricule, oid=self.oid)

    def __repr__(self) -> str:
        return "Recovery(…)"

    __str__ = __repr__


class TrustCheck(Part):
    """Second fact: somebody held a high-trust document and the traits were coherent."""

    document_kind: str
    at: datetime
    by: str
    document_expires_on: date | None = None
    """The check stays true after that day: the document was valid when it was held."""


class ProofSeen(Part):
    """A document was shown (RIS.INS.18). Alone it proves nothing: it may be of low trust, or wait for a validation.

    Neither its number nor an image of it is kept.
    """

    document_kind: str
    high_trust: bool
    at: datetime
    by: str
    document_expires_on: date | None = None


def status_of(recovery: Recovery | None, check: TrustCheck | None) -> IdentityStatus:
    """The four statuses from the two facts (RIS.INS.22 to RIS.INS.25)."""
    if recovery is not None:
        return IdentityStatus.QUALIFIEE if check is not None else IdentityStatus.RECUPEREE
    return IdentityStatus.VALIDEE if check is not None else IdentityStatus.PROVISOIRE
