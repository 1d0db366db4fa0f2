"""Cases of the cellule d'identitovigilance in MongoDB: one pending case at most for the same records and question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.domain.cases import Case, CaseKind, CaseState

CASES = "identity_cases"
WAITING = "waiting"
"""Kind and site of a pending case, for each of its sites: what the worklists look for."""
SHOWN = 500
"""Cases of one kind that the list of a site holds."""
AT_ONCE = 20
"""Values in one `$in`: the embedded database compares each row it reads with each of them."""


class CaseRepository:
    """Cases inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._cases = uow.collection(CASES)

    async def get(self, case_id: str) -> Case | None:
        """The case of that id."""
        row = await self._cases.find_one({"_id": case_id})
        return None if row is None else case_of(row)

    async def add(self, *cases: Case) -> None:
        """Store new cases."""
        if cases:
            await self._cases.insert_many([_row(one) for one in cases])

    async def save(self, case: Case) -> None:
        """Store what became of a case."""
        await self._cases.replace_one({"_id": case.case_id}, _row(case))

    async def under(self, keys: Iterable[str]) -> dict[str, list[Case]]:
        """Every case, pending or not, of these records and questions, by key."""
        wanted = sorted(set(keys))
        found: dict[str, list[Case]] = {key: [] for key in wanted}
        for start in range(0, len(wanted), AT_ONCE):
            async for row in self._cases.find({"key": {"$in": wanted[start : start + AT_ONCE]}}):
                found[row["key"]].append(case_of(row))
        return found

    async def pending(self, key: str) -> Case | None:
        """The pending case of these records and this question."""
        return next((one for one in (await self.under([key]))[key] if one.pending), None)

    async def pending_about(self, *patient_ids: str) -> list[Case]:
        """The pending cases that name one of these records."""
        found: dict[str, Case] = {}
        for start in range(0, len(patient_ids), AT_ONCE):
            query = {"patient_ids": {"$in": list(patient_ids[start : start + AT_ONCE])}}
            async for row in self._cases.find(query):
                found[row["_id"]] = case_of(row)
        return [one for one in found.values() if one.pending]

    async def resolved(self, key: str) -> Case | None:
        """The last case of these records and this question that was put right."""
        cases = [one for one in (await self.under([key]))[key] if one.state is CaseState.RESOLVED]
        return max(cases, key=lambda one: one.opened_at, default=None)


async def pending_cases(
    database: AsyncDatabase[Document], site_ids: Iterable[str], kinds: Iterable[CaseKind]
) -> list[Case]:
    """Pending cases that concern one of these sites, oldest first, SHOWN of each kind and site at most."""
    found: dict[str, Case] = {}
    for waiting in [_waiting(kind, site_id) for kind in kinds for site_id in site_ids]:
        rows = await database[CASES].find({WAITING: waiting}).sort("opened_at", 1).limit(SHOWN).to_list()
        found |= {row["_id"]: case_of(row) for row in rows}
    return sorted(found.values(), key=lambda one: one.opened_at)


def case_of(row: Mapping[str, Any]) -> Case:
    """The case of a row."""
    return Case.model_validate(row["case"])


def _row(case: Case) -> dict[str, Any]:
    row: dict[str, Any] = {"_id": case.case_id, "kind": case.kind.value, "state": case.state.value}
    row |= {"key": case.key, "patient_ids": list(case.patient_ids), "case": case.model_dump()}
    if not case.pending:
        return row
    waiting = [_waiting(case.kind, site_id) for site_id in case.site_ids]
    return row | {"open_key": case.key, WAITING: waiting, "opened_at": case.opened_at}


def _waiting(kind: CaseKind, site_id: str) -> str:
    return f"{kind}|{site_id}"
