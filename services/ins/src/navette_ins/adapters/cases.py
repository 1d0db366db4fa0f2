"""Cases of the cellule d'identitovigilance in MongoDB: one pending case at most for the same records and question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.domain.cases import Case, CaseKind, CaseState

CASES = "identity_cases"


class CaseRepository:
    """Cases inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._cases = uow.collection(CASES)

    async def get(self, case_id: str) -> Case | None:
        """The case of that id."""
        row = await self._cases.find_one({"_id": case_id})
        return None if row is None else case_of(row)

    async def add(self, case: Case) -> None:
        """Store a new case."""
        await self._cases.insert_one(_row(case))

    async def save(self, case: Case) -> None:
        """Store what became of a case."""
        await self._cases.replace_one({"_id": case.case_id}, _row(case))

    async def pending(self, key: str) -> Case | None:
        """The pending case of these records and this question."""
        row = await self._cases.find_one({"open_key": key})
        return None if row is None else case_of(row)

    async def pending_about(self, patient_id: str) -> list[Case]:
        """The pending cases that name this record."""
        rows = self._cases.find({"patient_ids": patient_id})
        return [case_of(row) async for row in rows if "open_key" in row]

    async def dismissed(self, key: str) -> bool:
        """Whether somebody already said no to this question about these records."""
        query = {"key": key, "state": CaseState.DISMISSED.value}
        return await self._cases.find_one(query, {"_id": 1}) is not None

    async def resolved(self, key: str) -> Case | None:
        """The last case of these records and this question that was put right."""
        rows = [row async for row in self._cases.find({"key": key, "state": CaseState.RESOLVED.value})]
        return max((case_of(row) for row in rows), key=lambda one: one.opened_at, default=None)


async def pending_cases(
    database: AsyncDatabase[Document], site_ids: Iterable[str], kinds: Iterable[CaseKind]
) -> list[Case]:
    """Pending cases that concern one of these sites, oldest first."""
    wanted, sites = {kind.value for kind in kinds}, set(site_ids)
    rows = await database[CASES].find({"open_key": {"$exists": True}}).to_list()
    cases = [case_of(row) for row in rows if row["kind"] in wanted]
    return sorted((one for one in cases if sites & set(one.site_ids)), key=lambda one: one.opened_at)


def case_of(row: Mapping[str, Any]) -> Case:
    """The case of a row."""
    return Case.model_validate(row["case"])


def _row(case: Case) -> dict[str, Any]:
    row: dict[str, Any] = {"_id": case.case_id, "kind": case.kind.value, "state": case.state.value}
    row |= {"key": case.key, "patient_ids": list(case.patient_ids), "case": case.model_dump()}
    return row | {"open_key": case.key} if case.pending else row
