"""Somebody comes to a site, and leaves: what is still to do for the identity hangs on the venue (spec/ins.md §4.4)."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.venues import Venue, VenueRepository
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.desk import Desk


async def receive_patient(
    uow: UnitOfWork,
    desk: Desk,
    *,
    identity: Identity,
    by: str,
    site_id: str | None = None,
    venue_id: str | None = None,
) -> Venue:
    """Open a venue, or say again that it is open. Raises Forbidden for a merged record or another person's venue."""
    identity.active()
    venues = VenueRepository(uow)
    known = None if venue_id is None else await venues.get(venue_id)
    if known is not None and known.patient_id != identity.patient_id:
        raise Forbidden("venue_of_another")
    if known is not None and known.closed_at is None:
        return known
    venue = Venue(
        venue_id=venue_id or uuid7(),
        patient_id=identity.patient_id,
        site_id=site_id or identity.site_id,
        day=uow.now.astimezone(desk.time_zone).date().isoformat(),
        opened_at=uow.now,
    )
    await venues.save(venue)
    await uow.record_access(by, "venue.open", "patient", identity.patient_id, venue.site_id, "granted")
    return venue


async def dismiss_patient(uow: UnitOfWork, _: Desk, *, identity: Identity, venue_id: str, by: str) -> Venue | None:
    """Close a venue: its tasks leave the worklists. None when the person has no such venue."""
    venues = VenueRepository(uow)
    venue = await venues.get(venue_id)
    if venue is None or venue.patient_id != identity.patient_id:
        return None
    if venue.closed_at is None:
        venue = venue.model_copy(update={"closed_at": uow.now})
        await venues.save(venue)
        await uow.record_access(by, "venue.close", "patient", identity.patient_id, venue.site_id, "granted")
    return venue
