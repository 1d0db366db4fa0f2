"""A search in INSi and what it can come to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class SearchState(StrEnum):
    """What a search came to."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    TO_DECIDE = "to_decide"
    """One person found, with a difference that somebody must look at."""
    REFUSED = "refused"
    """Somebody looked and said no."""
    NOT_FOUND = "not_found"
    SEVERAL = "several"
    DUPLICATE = "duplicate"
    """Another record carries this matricule: nothing stored, a duplicate to treat."""
    UNUSABLE = "unusable"
    OUTDATED = "outdated"
    """The identity changed meanwhile."""
    FAILED = "failed"


class Search(BaseModel):
    """A search; holds no trait and no matricule."""

    model_config = ConfigDict(frozen=True)

    search_id: str
    patient_id: str
    site_id: str
    revision: int
    requested_by: str
    requested_rpps: str | None = None
    """RPPS of that person, when the sign-on gave one; an assertion to INSi names it."""
    requested_at: datetime
    by_card: bool = False
    """Whether a carte Vitale opened it; otherwise the traits of the record."""
    by_app: bool = False
    """Whether the Appli carte Vitale answered it: nobody was called."""
    venue_id: str | None = None
    """The coming of the person that the calls are counted for."""
    calls_before: int = 0
    """Calls already answered for this coming when the search was asked for."""
    state: SearchState = SearchState.REQUESTED
    code: str | None = None
    """CodeCR of the whole search, or the word of a fault."""
    differences: tuple[str, ...] = ()
    who_must_act: str = "nobody"
    decided_by: str | None = None
    decided_at: datetime | None = None
