"""A stay that begins or ends in a connected system opens or closes a venue here (spec/ins.md §4.4)."""

from __future__ import annotations

from typing import Final

from navette_chassis import UnitOfWork
from navette_documents.hl7v2 import Message

from navette_ins.adapters.venues import VenueRepository
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.senders import Sender
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_patient import receive_patient

BEGINS: Final = frozenset({"A01", "A04"})
ENDS: Final = frozenset({"A03", "A11"})


async def begin_stay(
    uow: UnitOfWork, desk: Desk, *, message: Message, sender: Sender, identity: Identity
) -> tuple[str, ...]:
    """The person is at the site: what the identity lacks appears in its worklists. Returns remarks for the cell."""
    number = stay_of(message, sender)
    if message.event not in BEGINS or number is None:
        return ()
    try:
        await receive_patient(uow, desk, identity=identity, by=sender.actor, site_id=sender.site_id, venue_id=number)
    except Forbidden as refused:
        return (refused.rule,)
    return ()


async def end_stay(uow: UnitOfWork, *, message: Message, sender: Sender) -> None:
    """The person has left, or never came: the tasks of this venue disappear."""
    number = stay_of(message, sender)
    if message.event not in ENDS or number is None:
        return
    venues = VenueRepository(uow)
    venue = await venues.get(number)
    if venue is not None and venue.closed_at is None:
        await venues.save(venue.model_copy(update={"closed_at": uow.now}))


def stay_of(message: Message, sender: Sender) -> str | None:
    """The number of the stay (PV1-19), told apart by sender: two hospitals count from one."""
    visit = message.get("PV1")
    number = "" if visit is None else visit.value(19)
    return f"{sender.name}.{number}" if number else None
