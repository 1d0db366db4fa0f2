"""Reports in MongoDB: the whole report as JSON values under `report`, and beside it what queries need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_report.domain.audience import audience
from navette_report.domain.report import Report, State, Version

REPORTS = "reports"


class ReportRepository:
    """Reports inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._collection = uow.collection(REPORTS)
        self._now = uow.now

    async def get(self, report_id: str) -> Report | None:
        """The report of that id."""
        row = await self._collection.find_one({"_id": report_id})
        return None if row is None else report_of(row)

    async def add(self, report: Report) -> None:
        """Store a new report."""
        await self._collection.insert_one(_row(report))

    async def save(self, report: Report) -> Report:
        """Store a changed report, dated with the unit of work."""
        dated = report.model_copy(update={"updated_at": self._now})
        await self._collection.replace_one({"_id": report.report_id}, _row(dated))
        return dated

    async def touched_by_identity(self, patient_id: str) -> list[Report]:
        """Reports of a patient that a new revision of the identity may release, oldest first."""
        rows = self._collection.find({"patient_id": patient_id, "awaits_identity": True}).sort("_id", 1)
        return [report_of(row) async for row in rows]


def report_of(row: Mapping[str, Any]) -> Report:
    """The report of a row."""
    return Report.model_validate(row["report"])


def _row(report: Report) -> dict[str, Any]:
    return {
        "_id": report.report_id,
        "patient_id": report.patient_id,
        "site_id": report.site_id,
        "state": report.current.state.value,
        "awaits_identity": _awaits_identity(report.current),
        "updated_at": report.updated_at,
        "report": report.model_dump(mode="json"),
    }


def _awaits_identity(version: Version) -> bool:
    """Whether a better identity would change something for this version."""
    if version.state in (State.WAITING, State.HELD) or version.findings:
        return True
    if version.state is not State.COMPOSED or version.signature is None:
        return False
    if any(edition.ins_qualified for edition in version.editions):
        return False
    return not version.served.issuperset(audience(version.signature.choices, qualified=True))
