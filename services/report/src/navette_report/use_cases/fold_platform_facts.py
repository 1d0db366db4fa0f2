"""What is known of a message to a platform, on every line it is about: its own, and those of whom it carries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from navette_chassis import UnitOfWork
from navette_contracts.events import Audience, RecipientRole

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import PlatformMessage
from navette_report.domain.journey import (
    DMP_RECIPIENT,
    FAILURES,
    PATIENT_RECIPIENT,
    Channel,
    Fact,
    LineKind,
    Place,
)
from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.letter import Action

REMOVED = "platform_removed"
"""Reason of a line whose platform is not in the file any more: Navette says so, not the platform."""


def place_of_message(message: PlatformMessage, label: str) -> Place:
    """The line of the message itself."""
    where = (message.report_id, message.version, message.platform, message.edition)
    return message_place(*where, label, _kind(message))


def message_place(
    report_id: str, version: int, platform: str, edition: int, label: str, kind: LineKind = LineKind.REPORT
) -> Place:
    """The line of what a platform is handed, or should be, about an edition."""
    return Place(report_id, version, Channel.PLATFORM, f"{platform}/{edition}", kind=kind, label=label)


async def fold_message(
    uow: UnitOfWork, message: PlatformMessage, platform: Platform, fact: Fact, *, begun: datetime | None = None
) -> None:
    """Fold a fact into the message's line and those of everyone it carries; `begun` when it ends a sending."""
    journeys = JourneyRepository(uow)
    await journeys.fold(place_of_message(message, platform.label), fact)
    if platform.kind == "drimbox":
        return  # it carries nobody
    for party in message.parties:
        for place in places_of_party(message, party, platform.label):
            await fold_at(uow, message, place, fact, begun=begun)


async def fold_at(
    uow: UnitOfWork, message: PlatformMessage, place: Place, fact: Fact, *, begun: datetime | None = None
) -> None:
    """Fold a fact into one line; a version that goes to the DMP again shows there what the first document hid.

    With `begun`, the end of a sending that began then: a receipt may tell of a refusal before the message itself is
    answered, and that answer, though later, does not speak against it.
    """
    journeys = JourneyRepository(uow)
    if place.channel is Channel.DMP and place.kind is LineKind.REPORT:
        release = Place(place.report_id, place.version, Channel.DMP, DMP_RECIPIENT, kind=LineKind.RELEASE)
        line = await journeys.get(release.key)
        if line is not None and line.unique_id == message.unique_id:
            place = release
    shown = await journeys.get(place.key)
    if begun is not None and shown is not None and _tells_of_the_sending(shown.shown, begun):
        fact = fact.model_copy(update={"at": begun})
    await journeys.fold(place, fact)


def _tells_of_the_sending(shown: Fact, begun: datetime) -> bool:
    return shown.state in FAILURES and shown.reason != REMOVED and shown.at >= begun


def places_of_party(message: PlatformMessage, party: Audience, label: str) -> Iterator[Place]:
    """The lines of a party that a message carries."""
    for channel, recipient_id, role in _recipients(party, message.recipients):
        yield Place(
            message.report_id,
            message.version,
            channel,
            recipient_id,
            role,
            _kind(message),
            carrier=label,
        )


def _recipients(
    party: Audience, professionals: Collection[tuple[str, RecipientRole]]
) -> Iterator[tuple[Channel, str, RecipientRole]]:
    if party is Audience.DMP:
        yield Channel.DMP, DMP_RECIPIENT, RecipientRole.OTHER
    elif party is Audience.PATIENT:
        yield Channel.MSS, PATIENT_RECIPIENT, RecipientRole.PATIENT
    else:
        for recipient_id, role in professionals:
            yield Channel.MSS, recipient_id, role


def _kind(message: PlatformMessage) -> LineKind:
    return LineKind.WITHDRAWAL if message.action is Action.DELETE else LineKind.REPORT
