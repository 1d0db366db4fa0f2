"""Let the next document of a version serve those for whom a platform refused the one before."""

from __future__ import annotations

from collections.abc import Sequence

from navette_chassis import UnitOfWork

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.domain.journey import FAILURES, Channel, Fact, LineKind, LineState, party_of
from navette_report.domain.pfi.distribution import Distribution
from navette_report.use_cases.fold_platform_facts import place_of_message


async def take_over_refused(uow: UnitOfWork, distribution: Distribution, refused: Sequence[PlatformMessage]) -> None:
    """Write that these messages never leave any more, and that their recipients wait for the new document.

    An operator may be replaying one of them at this moment: both write its state, so one of the two transactions
    begins again and sees what the other did.
    """
    journeys = JourneyRepository(uow)
    told = Fact(state=LineState.CANCELLED, at=uow.now, reason="taken_over")
    fresh = Fact(state=LineState.SCHEDULED, at=uow.now)
    for message in refused:
        await PlatformMessages(uow).take_over(message.number)
        platform = distribution.platform(message.platform)
        label = message.platform if platform is None else platform.label
        await journeys.fold(place_of_message(message, label), told)
        for line in await journeys.of_version(message.report_id, message.version):
            is_mail = line.channel is Channel.MSS and line.kind is LineKind.REPORT
            if is_mail and party_of(line.channel, line.role) in message.parties and line.shown.state in FAILURES:
                # A refusal outweighs what is only scheduled: the line begins again, as that of the DMP does.
                await journeys.put(line.model_copy(update={"shown": fresh, "times": {fresh.state: fresh.at}}))
