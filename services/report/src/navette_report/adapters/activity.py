"""The journey lines of a period, with what their reports say about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from navette_documents.sites import Site
from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters.journeys import LINES, line_of
from navette_report.adapters.reports import REPORTS
from navette_report.domain.activity import MASKS, Deed, Span, done_at
from navette_report.domain.journey import JourneyLine, party_of

_AT_ONCE = 500
_OF_REPORT = {
    "site_id": 1,
    "report.versions.number": 1,
    "report.versions.signature.signatory.rpps": 1,
    "report.versions.signature.choices": 1,
    "report.versions.editions.audience": 1,
    "report.versions.editions.ins_qualified": 1,
}
"""Nothing of the text of a report is read."""


async def deeds_of(
    database: AsyncDatabase[dict[str, Any]], span: Span, sites: Mapping[str, Site]
) -> AsyncIterator[Deed]:
    """What lines of these sites did within the span, by two ranges on indexed instants."""
    lines: dict[str, JourneyLine] = {}
    within = {"$gte": span.start, "$lt": span.end}
    for name in ("done_at", "failed_at"):
        async for row in database[LINES].find({name: within}):
            line = line_of(row)
            if name == "failed_at" and done_at(line) in span:
                # Came with the first range already.
                continue
            lines[row["_id"]] = line
            if len(lines) >= _AT_ONCE:
                for deed in await _joined(database, lines, sites):
                    yield deed
                lines = {}
    for deed in await _joined(database, lines, sites):
        yield deed


async def _joined(
    database: AsyncDatabase[dict[str, Any]], lines: Mapping[str, JourneyLine], sites: Mapping[str, Site]
) -> list[Deed]:
    wanted = sorted({line.report_id for line in lines.values()})
    rows = database[REPORTS].find({"_id": {"$in": wanted}}, _OF_REPORT)
    reports = {row["_id"]: row async for row in rows if row["site_id"] in sites}
    deeds = []
    for line in lines.values():
        row = reports.get(line.report_id)
        if row is None:
            continue
        version = next(one for one in row["report"]["versions"] if one["number"] == line.version)
        party = party_of(line.channel, line.role).value
        qualified = any(one["ins_qualified"] for one in version.get("editions", ()) if party in one["audience"])
        rpps = str(version["signature"]["signatory"]["rpps"])
        masks = frozenset(mask for mask in MASKS if version["signature"]["choices"].get(mask))
        finess = sites[row["site_id"]].finess
        deeds.append(Deed.of(line, finess=finess, rpps=rpps, qualified=qualified, masks=masks))
    return deeds
