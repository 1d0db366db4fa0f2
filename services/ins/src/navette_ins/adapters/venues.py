"""Venues: who is expected or present at a site today. Tasks of the reception hang on them (spec/ins.md §4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.database import AsyncDatabase

VENUES = "venues"


class Venue(BaseModel):
    """One coming of a patient to a site."""

    model_config = ConfigDict(frozen=True)

    venue_id: str
    patient_id: str
    site_id: str
    day: str
    """YYYY-MM-DD in the time of the site."""
    opened_at: datetime
    closed_at: datetime | None = None


class VenueRepository:
    """Venues inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._venues = uow.collection(VENUES)

    async def get(self, venue_id: str) -> Venue | None:
        """The venue of that id."""
        row = await self._venues.find_one({"_id": venue_id})
        return None if row is None else _venue_of(row)

    async def save(self, venue: Venue) -> None:
        """Store a venue, new or changed."""
        await self._venues.replace_one({"_id": venue.venue_id}, _row(venue), upsert=True)

    async def move(self, from_patient: str, to_patient: str, only: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Give the venues of one record (or those of the list) to another; returns their ids."""
        rows = [row async for row in self._venues.find({"patient_id": from_patient})]
        venues = [_venue_of(row) for row in rows if only is None or row["_id"] in only]
        for venue in venues:
            await self.save(venue.model_copy(update={"patient_id": to_patient}))
        return tuple(one.venue_id for one in venues)


async def open_venues(database: AsyncDatabase[Document], site_id: str, day: str) -> list[Venue]:
    """Venues of a site on a day that are not closed, in the order of arrival."""
    rows = await database[VENUES].find({"site_id": site_id, "day": day, "open": True}).to_list()
    return sorted((_venue_of(row) for row in rows), key=lambda one: one.opened_at)


def _venue_of(row: Mapping[str, Any]) -> Venue:
    return Venue.model_validate(row["venue"])


def _row(venue: Venue) -> dict[str, Any]:
    return {
        "_id": venue.venue_id,
        "patient_id": venue.patient_id,
        "site_id": venue.site_id,
        "day": venue.day,
        "open": venue.closed_at is None,
        "venue": venue.model_dump(),
    }
