"""Say that a platform which has documents of a report is not in the file any more, and who must act."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.deliveries import note
from navette_contracts.events import WhoMustAct

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import PlatformMessages
from navette_report.domain.journey import Fact, LineKind, LineState, Place
from navette_report.domain.pfi.succession import MessageState
from navette_report.use_cases.fold_platform_facts import REMOVED, place_of_message


async def label_of_removed(uow: UnitOfWork, report_id: str, name: str, edition: int) -> str:
    """How the journey called a platform when it was given that edition; its name if it never was."""
    return await JourneyRepository(uow).label_of(report_id, f"{name}/{edition}") or name


async def tell_removed_platform(uow: UnitOfWork, name: str, place: Place) -> None:
    """On the line of the message that cannot be sent (`place`, which calls the platform as the journey did) and of
    everyone the platform carries; to the operators by a notice.
    """
    journeys = JourneyRepository(uow)
    fact = Fact(state=LineState.FAILED, at=uow.now, reason=REMOVED, who_must_act=WhoMustAct.ADMINISTRATOR)
    await journeys.fold(place, fact)
    withdrawn = place.kind is LineKind.WITHDRAWAL
    for line in await journeys.of_version(place.report_id, place.version):
        if line.carrier == place.label and (line.kind is LineKind.WITHDRAWAL) is withdrawn:
            told = line.fold(fact)
            if told is not line:
                await journeys.put(told)
    await note(uow, f"platform-{name}", REMOVED, f"{REMOVED}:{uuid7()}", report_id=place.report_id)


async def tell_stranded(uow: UnitOfWork, number: str) -> None:
    """The same of a message that still waits for such a platform, once. It leaves by itself when that one is back."""
    message = await PlatformMessages(uow).get(number)
    if message is None or message.state is not MessageState.SCHEDULED:
        return
    label = await label_of_removed(uow, message.report_id, message.platform, message.edition)
    place = place_of_message(message, label)
    line = await JourneyRepository(uow).get(place.key)
    if line is None or line.shown.reason != REMOVED:
        await tell_removed_platform(uow, message.platform, place)
