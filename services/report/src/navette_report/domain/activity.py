"""The figures of the activity dashboard (TBB.01 to TBB.03), computed from what happened to journey lines.

What counts, and when: a document counts in the period in which the DMP had it (or the operator first accepted
the mail), under the site that made it and the RPPS of who validated it. A document is one version of a report,
however many editions it has and however many professionals receive it. A *file* is one examination: all
versions of its report together. A failure is a refusal or an exhausted delivery, one per line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from enum import StrEnum

from navette_contracts.events import Audience

from navette_report.domain.journey import Channel, JourneyLine, LineKind, LineState, party_of

_DONE: Mapping[Channel, tuple[LineState, ...]] = {
    Channel.DMP: (LineState.DELIVERED,),
    Channel.MSS: (LineState.SENT, LineState.DELIVERED, LineState.READ),
}
_FAILED = (LineState.REFUSED, LineState.FAILED)
_COUNTED = frozenset(_DONE)
"""A message to a platform is no document sent: what it carries has lines of its own."""


def done_at(line: JourneyLine) -> datetime | None:
    """When a line first reached its recipient: in the DMP, or accepted by the mail operator.

    None for what is not a report: a notice of withdrawal, a change of visibility.
    """
    if line.kind is not LineKind.REPORT or line.channel not in _COUNTED:
        return None
    return _first(line, _DONE[line.channel])


def failed_at(line: JourneyLine) -> datetime | None:
    """When a line was first refused or given up."""
    return _first(line, _FAILED) if line.channel in _COUNTED else None


def _first(line: JourneyLine, states: Iterable[LineState]) -> datetime | None:
    return min((line.times[state] for state in states if state in line.times), default=None)


MASKS = ("hidden_from_professionals", "hidden_from_patient", "hidden_from_representatives", "announcement_needed")
"""Choices whose share among the documents of the DMP is shown (TBB.02)."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A document that reached one kind of party, or failed to."""

    report_id: str
    version: int
    finess: str
    rpps: str
    party: Audience
    qualified: bool
    """Whether that party was given an edition with the INS."""
    done: datetime | None
    failed: datetime | None
    masks: frozenset[str] = frozenset()
    """The choices of `MASKS` made for this document."""

    @classmethod
    def of(cls, line: JourneyLine, *, finess: str, rpps: str, qualified: bool, masks: frozenset[str]) -> Deed:
        """What a line says."""
        party = party_of(line.channel, line.role)
        return cls(line.report_id, line.version, finess, rpps, party, qualified, done_at(line), failed_at(line), masks)


class Period(StrEnum):
    """What the dashboard covers."""

    MONTH = "month"
    YEAR = "year"
    PREVIOUS_YEAR = "previous_year"


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` (included) to `end` (excluded)."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime | None) -> bool:
        return moment is not None and self.start <= moment < self.end


def spans(day: date, zone: tzinfo) -> dict[Period, Span]:
    """The month and the year `day` is in, and the year before; they begin at local midnight."""
    first = day.replace(day=1)
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    bounds = {
        Period.MONTH: (first, following),
        Period.YEAR: (date(day.year, 1, 1), date(day.year + 1, 1, 1)),
        Period.PREVIOUS_YEAR: (date(day.year - 1, 1, 1), date(day.year, 1, 1)),
    }
    return {
        period: Span(datetime.combine(start, time(), zone), datetime.combine(end, time(), zone))
        for period, (start, end) in bounds.items()
    }


@dataclass(frozen=True, slots=True)
class Count:
    """Documents that reached a party, with the INS qualified and without."""

    qualified: int
    unqualified: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.qualified + self.unqualified


@dataclass(slots=True)
class Tally:
    """Adds deeds of one period up."""

    _documents: dict[Audience, dict[tuple[str, int], bool]] = field(default_factory=dict)
    _failures: dict[Audience, int] = field(default_factory=dict)
    _masked: dict[str, set[tuple[str, int]]] = field(default_factory=dict)

    def add(self, deed: Deed, span: Span) -> None:
        """Count what of `deed` falls into the span."""
        if deed.done in span:
            seen = self._documents.setdefault(deed.party, {})
            key = (deed.report_id, deed.version)
            seen[key] = seen.get(key, False) or deed.qualified
            for mask in deed.masks if deed.party is Audience.DMP else ():
                self._masked.setdefault(mask, set()).add(key)
        if deed.failed in span:
            self._failures[deed.party] = self._failures.get(deed.party, 0) + 1

    def documents(self, party: Audience) -> Count:
        """Documents that reached a party."""
        flags = self._documents.get(party, {}).values()
        return Count(sum(flags), len(flags) - sum(flags))

    def masked(self, mask: str) -> int:
        """Documents that reached the DMP with that choice of `MASKS`."""
        return len(self._masked.get(mask, ()))

    def files(self, *parties: Audience) -> int:
        """Files of which at least one document reached each of the parties."""
        reached = [{report_id for report_id, _ in self._documents.get(party, ())} for party in parties]
        return len(set.intersection(*reached))

    @property
    def dmp_failures(self) -> int:
        """Refusals of the DMP."""
        return self._failures.get(Audience.DMP, 0)

    @property
    def mss_failures(self) -> int:
        """Mails that failed, to professionals and patients."""
        return self._failures.get(Audience.PROFESSIONALS, 0) + self._failures.get(Audience.PATIENT, 0)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Whose figures: a site, or one of its professionals (None: all of the site)."""

    finess: str
    rpps: str | None


Dashboard = Mapping[Period, Mapping[Place, Tally]]


class DashboardBuilder:
    """Sorts deeds into periods, sites and professionals."""

    def __init__(self, covered: Mapping[Period, Span], sites: Iterable[str]) -> None:
        """`sites`: the FINESS of every site, shown even where nothing happened."""
        whole = [Place(finess, None) for finess in set(sites)]
        self._spans = covered
        self._tallies = {period: {place: Tally() for place in whole} for period in covered}

    def add(self, deed: Deed) -> None:
        """Count a deed wherever it belongs."""
        for period, span in self._spans.items():
            if deed.done in span or deed.failed in span:
                for rpps in (None, deed.rpps):
                    self._tallies[period].setdefault(Place(deed.finess, rpps), Tally()).add(deed, span)

    @property
    def dashboard(self) -> Dashboard:
        """What was counted."""
        return self._tallies
