"""Reports in MongoDB: the whole report as JSON values under `report`, and beside it what queries need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_report.domain.editions import awaits_identity
from navette_report.domain.lifecycle import IN_FORCE, State
from navette_report.domain.report import Report

REPORTS = "reports"
WAITING_INS, TO_ANNOUNCE, PROVISIONAL, HELD = "waiting-ins", "to-announce", "provisional", "held"
FAILED = "failed"
"""Mark of a row: a line of the version that counts did not arrive. The lines keep it (`journeys.py`), saving a report
clears it when another version counts from then on."""


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
        await self._collection.insert_one(_row(report) | {FAILED: False})

    async def save(self, report: Report) -> Report:
        """Store a changed report, dated with the unit of work."""
        dated = report.model_copy(update={"updated_at": self._now})
        row = _row(dated)
        former = await self._collection.find_one_and_update(
            {"_id": report.report_id}, {"$set": row}, projection={"followed_version": 1}
        )
        if former is not None and former.get("followed_version") != row["followed_version"]:
            await self._collection.update_one({"_id": report.report_id}, {"$set": {FAILED: False}})
        return dated

    async def of_exam(self, site_id: str, *, accession_number: str, placer_number: str) -> list[Report]:
        """Reports of an examination at a site, by the accession number, else by the number of the request."""
        field, value = ("accession_number", accession_number) if accession_number else ("placer_number", placer_number)
        if not value:
            return []
        rows = self._collection.find({"site_id": site_id, field: value}).limit(50)
        return [report_of(row) async for row in rows]

    async def drafts_of(self, patient_id: str, site_id: str) -> list[Report]:
        """Drafts of a patient at a site, last changed first; 50 at most."""
        query = {"patient_id": patient_id, "site_id": site_id, "state": State.DRAFT.value}
        return [report_of(row) async for row in self._collection.find(query).sort("updated_at", -1).limit(50)]

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
        "awaits_identity": awaits_identity(report),
        "worklists": worklists_of(report),
        "followed_version": report.followed.number,
        "accession_number": list(report.current.content.exam.accession_numbers),
        "placer_number": list(report.current.content.exam.order_placer_numbers),
        "examined_at": report.current.content.exam.started_at,
        "updated_at": report.updated_at,
        "signatures": [
            {"rpps": version.signature.signatory.rpps, "at": version.signature.signed_at}
            for version in report.versions
            if version.signature is not None
        ],
        "report": report.model_dump(mode="json"),
    }


def worklists_of(report: Report) -> list[str]:
    """The work lists a report stands on (RIS.CRR.05, spec/dsr.md §4 C1, C3, C7); failures are marked by the lines."""
    found = []
    if report.draft is not None:
        found.append(PROVISIONAL)
    version = report.validated
    if version is None or version.state not in IN_FORCE:
        return found
    if version.to_announce:
        found.append(TO_ANNOUNCE)
    if version.state is State.HELD or version.findings:
        found.append(HELD)
    elif version.state is not State.SIGNED and awaits_identity(report):
        found.append(WAITING_INS)
    return found
