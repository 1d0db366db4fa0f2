"""Look at reports and their journeys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters.journeys import LINES, line_of
from navette_report.adapters.patients import PATIENTS, KeyringSource, KnownPatient, known_patient
from navette_report.adapters.reports import FAILED, PROVISIONAL, REPORTS, report_of
from navette_report.domain.journey import JourneyLine, LineKind
from navette_report.domain.lifecycle import State
from navette_report.domain.report import Report

_KINDS = tuple(LineKind)

Database = AsyncDatabase[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Followed:
    """A report with the lines of the version that counts, and those of the versions before it."""

    report: Report
    lines: tuple[JourneyLine, ...]
    former: tuple[JourneyLine, ...] = ()


async def find_report(database: Database, report_id: str) -> Report | None:
    """The report of that id, whoever asks: the caller checks the site."""
    row = await database[REPORTS].find_one({"_id": report_id})
    return None if row is None else report_of(row)


async def follow_report(database: Database, report: Report) -> Followed:
    """A report with its lines."""
    rows = database[LINES].find({"report_id": report.report_id})
    return _followed(report, [line_of(row) async for row in rows])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799_999
"""Last millisecond of the year 9999."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last report of a page; the next page begins after it. As text: milliseconds, a dot, its id."""

    changed_at: datetime
    report_id: str

    def __str__(self) -> str:
        return f"{(self.changed_at - _EPOCH) // timedelta(milliseconds=1)}.{self.report_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is none."""
        number, _, report_id = text.partition(".")
        if not (number.isascii() and number.isdigit() and int(number) <= _LATEST and report_id):
            raise ValueError("unknown_page")
        return cls(_EPOCH + timedelta(milliseconds=int(number)), report_id)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and where the next one begins; None at its end."""

    followed: list[Followed]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is restricted to; None means no restriction."""

    state: State | None = None
    worklist: str | None = None
    patient_id: str | None = None
    site_id: str | None = None
    examined_from: datetime | None = None
    examined_before: datetime | None = None
    changed_since: datetime | None = None

    def queries(self, sites: Collection[str], after: Cursor | None) -> list[dict[str, Any]]:
        """The MongoDB queries that give what comes after the cursor, one after the other.

        Two plain ranges: through an alternative ($or) the embedded database uses no index.
        """
        query = self._query(sites)
        if after is None:
            return [query]
        since: dict[str, datetime] = query.get("updated_at", {})
        same_moment = {"updated_at": since | {"$eq": after.changed_at}, "_id": {"$lt": after.report_id}}
        return [query | same_moment, query | {"updated_at": since | {"$lt": after.changed_at}}]

    def _query(self, sites: Collection[str]) -> dict[str, Any]:
        """Always within `sites`."""
        allowed = sorted(sites) if self.site_id is None else sorted({self.site_id} & set(sites))
        query: dict[str, Any] = {"site_id": {"$in": allowed}}
        if self.state is not None:
            query["state"] = self.state.value
        if self.worklist is not None:
            query |= {FAILED: True} if self.worklist == FAILED else {"worklists": self.worklist}
        if self.patient_id is not None:
            query["patient_id"] = self.patient_id
        if self.changed_since is not None:
            query["updated_at"] = {"$gte": self.changed_since}
        examined = {"$gte": self.examined_from, "$lt": self.examined_before}
        limits = {name: value for name, value in examined.items() if value is not None}
        if limits:
            query["examined_at"] = limits
        return query


async def list_reports(
    database: Database, sites: Collection[str], *, wanted: Wanted, limit: int, after: Cursor | None = None
) -> Page:
    """The reports of these sites, last changed first; one that changes meanwhile comes before the first page."""
    order = [("updated_at", -1), ("_id", -1)]
    rows: list[dict[str, Any]] = []
    for query in wanted.queries(sites, after):
        # One more than is shown tells whether the list goes on.
        missing = limit + 1 - len(rows)
        if missing:
            rows += await database[REPORTS].find(query).sort(order).limit(missing).to_list()
    reports = [report_of(row) for row in rows[:limit]]
    last = Cursor(rows[limit - 1]["updated_at"], rows[limit - 1]["_id"]) if len(rows) > limit else None
    return Page(await follow_reports(database, reports), last)


async def late_drafts(database: Database, sites: Collection[str], *, before: datetime) -> int:
    """How many unvalidated reports of these sites nobody touched since `before` (RIS.CRR.06)."""
    query = {"site_id": {"$in": sorted(sites)}, "worklists": PROVISIONAL, "updated_at": {"$lt": before}}
    return await database[REPORTS].count_documents(query)


async def follow_reports(database: Database, reports: Collection[Report]) -> list[Followed]:
    """Reports with their lines, in the order given."""
    found: dict[str, list[JourneyLine]] = {report.report_id: [] for report in reports}
    async for row in database[LINES].find({"report_id": {"$in": list(found)}}):
        found[row["report_id"]].append(line_of(row))
    return [_followed(report, found[report.report_id]) for report in reports]


async def patients_of(
    database: Database, patient_ids: Collection[str], keyring: KeyringSource
) -> dict[str, KnownPatient]:
    """What is known of these patients, for pages that name them."""
    rows = database[PATIENTS].find({"_id": {"$in": sorted(set(patient_ids))}})
    return {row["_id"]: known_patient(row, keyring()) async for row in rows}


def _followed(report: Report, lines: list[JourneyLine]) -> Followed:
    number = report.followed.number
    return Followed(
        report,
        _sorted([line for line in lines if line.version == number]),
        _sorted([line for line in lines if line.version < number]),
    )


def _sorted(lines: list[JourneyLine]) -> tuple[JourneyLine, ...]:
    order = {"requester": 0, "copy": 1, "other": 2, "patient": 3}
    return tuple(
        sorted(
            lines,
            key=lambda one: (-one.version, _KINDS.index(one.kind), order.get(one.role.value, 2), one.recipient_id),
        )
    )
