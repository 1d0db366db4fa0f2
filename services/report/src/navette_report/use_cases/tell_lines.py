"""What an act of a person, or the lack of a document, says on the lines of the journey."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import Audience, WhoMustAct

from navette_report.adapters.journeys import JourneyRepository
from navette_report.domain.audience import verdict
from navette_report.domain.identity import IdentityGap
from navette_report.domain.journey import (
    Channel,
    Fact,
    JourneyLine,
    LineKind,
    LineState,
    fact_of,
    open_line,
    party_of,
)
from navette_report.domain.report import Report, Version

_RECEIVED = frozenset({LineState.SENT, LineState.DELIVERED, LineState.READ})


async def stop_waiting_lines(uow: UnitOfWork, report_id: str, version: int, reason: str) -> None:
    """What still waited in this version will not leave; lines already on their way end by their own events."""
    journeys = JourneyRepository(uow)
    fact = Fact(state=LineState.CANCELLED, at=uow.now, reason=reason)
    for line in await journeys.of_version(report_id, version):
        if line.shown.state is LineState.WAITING:
            await journeys.put(line.fold(fact))


async def announce_withdrawal(uow: UnitOfWork, report: Report, version: int) -> None:
    """One line per place a version of the report reached: the DMP, and each mailbox."""
    journeys = JourneyRepository(uow)
    reached: dict[tuple[Channel, str], JourneyLine] = {}
    for one in report.versions:
        for line in await journeys.of_version(report.report_id, one.number):
            reached_someone = line.kind is LineKind.REPORT and line.channel is not Channel.PLATFORM
            if reached_someone and line.shown.state in _RECEIVED:
                reached[line.channel, line.recipient_id] = line
    fact = Fact(state=LineState.SCHEDULED, at=uow.now, who_must_act=WhoMustAct.NOBODY)
    for line in reached.values():
        await journeys.put(
            open_line(
                report.report_id,
                version,
                line.channel,
                line.recipient_id,
                line.role,
                fact,
                label=line.label,
                carrier=line.carrier,
                kind=LineKind.WITHDRAWAL,
            )
        )


async def tell_verdicts(uow: UnitOfWork, version: Version, report_id: str, *, qualified: bool) -> None:
    """Each party gets the version now, waits, or never gets it."""
    journeys = JourneyRepository(uow)
    if version.in_force is None:
        return
    for line in await journeys.of_version(report_id, version.number):
        if line.kind is not LineKind.REPORT or line.channel is Channel.PLATFORM:
            continue
        party: Audience = party_of(line.channel, line.role)
        said = verdict(party, version.in_force, qualified=qualified)
        told = line.fold(fact_of(said, uow.now))
        if told is not line:
            await journeys.put(told)


async def tell_gap_is_closed(uow: UnitOfWork, version: Version, report_id: str, *, qualified: bool) -> None:
    """Lines that waited for the identity wait again for what they waited for before."""
    lines = await JourneyRepository(uow).of_version(report_id, version.number)
    if any(line.shown.state is LineState.WAITING and line.shown.reason in tuple(IdentityGap) for line in lines):
        await tell_verdicts(uow, version, report_id, qualified=qualified)


async def tell_waiting(uow: UnitOfWork, report_id: str, version: Version, reason: str, who: WhoMustAct) -> None:
    """What did not leave yet waits for this."""
    journeys = JourneyRepository(uow)
    fact = Fact(state=LineState.WAITING, at=uow.now, reason=reason, who_must_act=who)
    for line in await journeys.of_version(report_id, version.number):
        told = line if line.channel is Channel.PLATFORM else line.fold(fact)
        if told is not line:
            await journeys.put(told)
