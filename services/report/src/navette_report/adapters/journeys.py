"""Journey lines in MongoDB, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_report.adapters.reports import FAILED, REPORTS
from navette_report.domain.activity import done_at, failed_at
from navette_report.domain.journey import NOT_ARRIVED, Fact, JourneyLine, Place

LINES = "journey_lines"
_NOT_ARRIVED = sorted(state.value for state in NOT_ARRIVED)


class JourneyRepository:
    """Lines inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._collection = uow.collection(LINES)
        self._reports = uow.collection(REPORTS)

    async def get(self, key: str) -> JourneyLine | None:
        """The line of that key."""
        row = await self._collection.find_one({"_id": key})
        return None if row is None else line_of(row)

    async def of_version(self, report_id: str, version: int) -> list[JourneyLine]:
        """All lines of a version."""
        rows = self._collection.find({"report_id": report_id, "version": version}).sort("_id", 1)
        return [line_of(row) async for row in rows]

    async def label_of(self, report_id: str, recipient_id: str) -> str | None:
        """The name of a recipient in whatever version names it."""
        rows = self._collection.find({"report_id": report_id, "recipient_id": recipient_id})
        labels = [str(row["line"]["label"]) async for row in rows if row["line"].get("label")]
        return labels[0] if labels else None

    async def fold(self, place: Place, fact: Fact) -> None:
        """Fold a fact into the line of a place, which is opened when there is none: somebody a former version
        went to, whom this one does not name any more.
        """
        line = await self.get(place.key)
        if line is None:
            label = place.label or await self.label_of(place.report_id, place.recipient_id)
            await self.put(place.opened(fact, label=label))
            return
        folded = line.fold(fact)
        if folded is not line:
            await self.put(folded)

    async def put(self, line: JourneyLine) -> None:
        """Store a new or changed line."""
        row = {
            "_id": line.key,
            "report_id": line.report_id,
            "version": line.version,
            "recipient_id": line.recipient_id,
            "state": line.shown.state.value,
            # What the activity figures are counted by.
            "done_at": done_at(line),
            "failed_at": failed_at(line),
            "line": line.model_dump(mode="json"),
        }
        former = await self._collection.find_one_and_replace(
            {"_id": line.key}, row, projection={"state": 1}, upsert=True
        )
        before = former is not None and former["state"] in _NOT_ARRIVED
        if before != (line.shown.state in NOT_ARRIVED):
            await self._mark_report(line.report_id, line.version)

    async def _mark_report(self, report_id: str, version: int) -> None:
        """Say on the report whether a line of the version that counts did not arrive, for the list of its site."""
        query = {"report_id": report_id, "version": version, "state": {"$in": _NOT_ARRIVED}}
        failed = await self._collection.find_one(query, {"_id": 1}) is not None
        counts = {"_id": report_id, "followed_version": version}
        await self._reports.update_one(counts, {"$set": {FAILED: failed}})


def line_of(row: Mapping[str, Any]) -> JourneyLine:
    """The line of a row."""
    return JourneyLine.model_validate(row["line"])
