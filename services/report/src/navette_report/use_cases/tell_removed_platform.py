"""Say that a platform which has documents of a report is not in the file any more, and who must act."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import note
from navette_contracts.events import WhoMustAct

from navette_report.adapters.journeys import JourneyRepository
from navette_report.domain.journey import Fact, LineKind, LineState, Place

REASON = "platform_removed"


async def label_of_removed(uow: UnitOfWork, report_id: str, name: str, edition: int) -> str:
    """How the journey called a platform when it was given that edition; its name if it never was."""
    return await JourneyRepository(uow).label_of(report_id, f"{name}/{edition}") or name


async def tell_removed_platform(uow: UnitOfWork, name: str, place: Place) -> None:
    """On the line of the message that cannot be sent (`place`, which calls the platform as the journey did) and of
    everyone the platform carries; to the operators by a notice.
    """
    journeys = JourneyRepository(uow)
    fact = Fact(state=LineState.FAILED, at=uow.now, reason=REASON, who_must_act=WhoMustAct.ADMINISTRATOR)
    await journeys.fold(place, fact)
    withdrawn = place.kind is LineKind.WITHDRAWAL
    for line in await journeys.of_version(place.report_id, place.version):
        if line.carrier == place.label and (line.kind is LineKind.WITHDRAWAL) is withdrawn:
            told = line.fold(fact)
            if told is not line:
                await journeys.put(told)
    await note(uow, f"platform-{name}", REASON, f"{REASON}:{place.key}", report_id=place.report_id)
