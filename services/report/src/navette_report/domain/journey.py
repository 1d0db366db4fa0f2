"""The journey of a report: one line per version, channel and recipient.

What is known of a line is a set of facts; what is shown is the strongest one. Strength is a total order, so
that facts may arrive late, twice or in any order and the line never moves backwards:

waiting (latest reason) < scheduled < sent, refused, failed or cancelled (latest of them) < delivered < read.

A refusal after a sending counts (a bounce), a sending after a refusal counts (a replay); a delivery notice
outweighs both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from navette_contracts.events import Audience, ErrorClass, RecipientRole, WhoMustAct
from pydantic import AwareDatetime

from navette_report.domain.audience import Verdict
from navette_report.domain.fields import Strict

DMP_RECIPIENT = "dmp"
PATIENT_RECIPIENT = "patient"


class Channel(StrEnum):
    """How a recipient is reached."""

    DMP = "dmp"
    MSS = "mss"
    PLATFORM = "platform"
    """The whole report handed to a platform, which carries parties or keeps a copy: one line per message."""


class LineKind(StrEnum):
    """What a line is about."""

    REPORT = "report"
    RELEASE = "release"
    """The DMP lets the patient see what it hid until the announcement."""
    WITHDRAWAL = "withdrawal"
    """Deletion in the DMP, notice to those who received a version."""


class LineState(StrEnum):
    """What a user reads on a line."""

    WAITING = "waiting"
    SCHEDULED = "scheduled"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


RANK: Mapping[LineState, int] = MappingProxyType(
    {
        LineState.WAITING: 0,
        LineState.SCHEDULED: 1,
        LineState.SENT: 2,
        LineState.REFUSED: 2,
        LineState.FAILED: 2,
        LineState.CANCELLED: 2,
        LineState.DELIVERED: 3,
        LineState.READ: 4,
    }
)
FAILURES = frozenset({LineState.REFUSED, LineState.FAILED, LineState.CANCELLED})
NOT_ARRIVED = frozenset({LineState.REFUSED, LineState.FAILED})
"""What somebody must look at: the report did not reach this recipient."""
_TIES = tuple(LineState)

FAILURE_OF: Mapping[ErrorClass, LineState] = MappingProxyType(
    {
        ErrorClass.PERMANENT: LineState.REFUSED,
        ErrorClass.EXHAUSTED: LineState.FAILED,
        ErrorClass.CANCELLED: LineState.CANCELLED,
        ErrorClass.OTHER: LineState.FAILED,
    }
)


class Fact(Strict):
    """Something that happened to one line, at an instant told by the service that saw it."""

    state: LineState
    at: AwareDatetime
    reason: str | None = None
    who_must_act: WhoMustAct = WhoMustAct.NOBODY

    @property
    def strength(self) -> tuple[object, ...]:
        """Sort key: the strongest fact is what the line shows. Total, so that ties do not depend on order."""
        first_wins = RANK[self.state] in (1, 3, 4)
        moment = self.at.timestamp()
        return (
            RANK[self.state],
            -moment if first_wins else moment,
            _TIES.index(self.state),
            self.reason or "",
            self.who_must_act.value,
        )


class JourneyLine(Strict):
    """One recipient of one version by one channel, and how far the report has come."""

    report_id: str
    version: int
    channel: Channel
    recipient_id: str
    role: RecipientRole
    kind: LineKind = LineKind.REPORT
    unique_id: str | None = None
    """For the DMP, the document the line is about, once it is composed."""
    label: str | None = None
    """Name of a professional or platform; None for the DMP and the patient, whom the page names itself."""
    carrier: str | None = None
    """Label of the platform that carries this recipient; None when Navette sends itself."""
    shown: Fact
    times: Mapping[LineState, AwareDatetime]
    """When each state was first reached."""

    @property
    def key(self) -> str:
        """Identity of the line."""
        return line_key(self.report_id, self.version, self.channel, self.recipient_id, self.kind)

    def fold(self, fact: Fact) -> Self:
        """The line once `fact` is known; the same line when it adds nothing."""
        known = self.times.get(fact.state)
        times = self.times if known is not None and known <= fact.at else {**self.times, fact.state: fact.at}
        shown = max(self.shown, fact, key=lambda one: one.strength)
        if times is self.times and shown is self.shown:
            return self
        return self.model_copy(update={"shown": shown, "times": times})


def line_key(
    report_id: str, version: int, channel: Channel, recipient_id: str, kind: LineKind = LineKind.REPORT
) -> str:
    """Identity of a line, as one string."""
    suffix = "" if kind is LineKind.REPORT else f":{kind}"
    return f"{report_id}:{version}:{channel}:{recipient_id}{suffix}"


def open_line(
    report_id: str,
    version: int,
    channel: Channel,
    recipient_id: str,
    role: RecipientRole,
    fact: Fact,
    *,
    label: str | None = None,
    kind: LineKind = LineKind.REPORT,
    unique_id: str | None = None,
    carrier: str | None = None,
) -> JourneyLine:
    """A new line that knows one fact."""
    return JourneyLine(
        report_id=report_id,
        version=version,
        channel=channel,
        recipient_id=recipient_id,
        role=role,
        kind=kind,
        unique_id=unique_id,
        label=label,
        carrier=carrier,
        shown=fact,
        times={fact.state: fact.at},
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands, whether it is there or not."""

    report_id: str
    version: int
    channel: Channel
    recipient_id: str
    role: RecipientRole = RecipientRole.OTHER
    kind: LineKind = LineKind.REPORT
    label: str | None = None
    carrier: str | None = None

    @property
    def key(self) -> str:
        """Identity of the line."""
        return line_key(self.report_id, self.version, self.channel, self.recipient_id, self.kind)

    def opened(self, fact: Fact, *, label: str | None) -> JourneyLine:
        """The line with its first fact."""
        return open_line(
            self.report_id,
            self.version,
            self.channel,
            self.recipient_id,
            self.role,
            fact,
            label=label,
            kind=self.kind,
            carrier=self.carrier,
        )


def fact_of(verdict: Verdict, fact_time: AwareDatetime) -> Fact:
    """What a verdict of the audience rules says on a line."""
    if verdict.receives:
        return Fact(state=LineState.SCHEDULED, at=fact_time)
    state = LineState.CANCELLED if verdict.final else LineState.WAITING
    return Fact(state=state, at=fact_time, reason=verdict.reason, who_must_act=verdict.who)


def party_of(channel: Channel, role: RecipientRole) -> Audience:
    """Which party of the audience rules a line belongs to; OTHER for a platform, whose message is for several."""
    if channel is Channel.PLATFORM:
        return Audience.OTHER
    if channel is Channel.DMP:
        return Audience.DMP
    return Audience.PATIENT if role is RecipientRole.PATIENT else Audience.PROFESSIONALS
