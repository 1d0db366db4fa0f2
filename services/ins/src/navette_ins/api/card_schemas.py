"""What a search in INSi may be asked with: the venue, and the card as its reader gave it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from navette_chassis.http import ApiModel
from pydantic import AwareDatetime, Field

from navette_ins.adapters.app_readings import MAX_READING
from navette_ins.domain.insi.card import MAX_ASSERTION_BYTES, Beneficiary, CardReading
from navette_ins.use_cases.request_insi_search import CardSearch

_VENUE = r"^[A-Za-z0-9._:-]{1,64}$"
_Name = Annotated[str, Field(min_length=1, max_length=80)]
_Number = Annotated[str, Field(min_length=13, max_length=13)]
_Digit = Annotated[str, Field(min_length=1, max_length=1)]
VenueId = Annotated[str | None, Query(pattern=_VENUE)]
"""The coming of the person, as the site calls it: six calls are allowed for each (without it: in 24 hours)."""


class CardBeneficiary(ApiModel):
    """One person of the card."""

    own_number: _Number | None = None
    """NIR of 13 characters, only when the card holds the beneficiary's own."""
    birth_name: _Name | None = None
    given_name: _Name | None = None
    """Shown to the person who picks; neither sent nor kept."""
    birth_date: Annotated[str, Field(max_length=10)]
    """YYYY-MM-DD as on the card, possibly a date of no calendar."""
    birth_rank: _Digit = "1"
    bearer: _Digit | None = None
    """Porteur."""


class CardContent(ApiModel):
    """One reading of one carte Vitale."""

    read_at: AwareDatetime
    insured_number: _Number
    """13 characters of the *ouvrant droit*."""
    insured_birth_name: _Name | None = None
    beneficiaries: Annotated[list[CardBeneficiary], Field(min_length=1, max_length=30)]
    assertion: Annotated[str, Field(max_length=MAX_ASSERTION_BYTES)] | None = None
    """SAML assertion that the reader built from the card."""


class AppReadingRequest(ApiModel):
    """What a reader signed of the Appli carte Vitale."""

    reading: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=MAX_READING)]
    """Compact JWS (ES256) of the reader component of the workstation."""
    venue_id: Annotated[str, Field(pattern=_VENUE)] | None = None


class CardSearchRequest(ApiModel):
    """A search opened by a carte Vitale. Kept, sealed, only until the search has ended."""

    reading: CardContent
    beneficiary: Annotated[int, Field(ge=0, le=29)] | None = None
    """Position of the person in `reading.beneficiaries`; required as soon as there are several."""
    venue_id: Annotated[str, Field(pattern=_VENUE)] | None = None

    def card(self) -> CardSearch:
        """The card as the use case takes it."""
        values = self.reading.model_dump(exclude={"beneficiaries"})
        people = tuple(
            Beneficiary.model_validate(one.model_dump(exclude={"given_name"})) for one in self.reading.beneficiaries
        )
        return CardSearch(CardReading.model_validate(values | {"beneficiaries": people}), self.beneficiary)
