"""What an act of a person says on the lines of the journey."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import WhoMustAct

from navette_report.adapters.journeys import JourneyRepository
from navette_report.domain.journey import (
    Channel,
    Fact,
    JourneyLine,
    LineKind,
    LineState,
    open_line,
)
from navette_report.domain.report import Report

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
