"""Searches in INSi: who asked, each call as sent and as answered (sealed), and what became of it (RIS.INS.40, .41)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.domain.insi.plan import Asked, Query
from navette_ins.domain.search import Search, SearchState
from navette_ins.domain.traits import Traits

SEARCHES = "insi_searches"
EXCHANGES = "insi_exchanges"


class SearchRepository:
    """Searches inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._searches = uow.collection(SEARCHES)

    async def add(self, search: Search, traits_key: str) -> None:
        """Store a new search; `traits_key` recognises the same question later without holding it."""
        await self._searches.insert_one(_row(search) | {"traits_key": traits_key})

    async def get(self, search_id: str) -> Search | None:
        """The search of that id."""
        row = await self._searches.find_one({"_id": search_id})
        return None if row is None else search_of(row)

    async def save(self, search: Search) -> None:
        """Store what became of a search."""
        await self._searches.update_one({"_id": search.search_id}, {"$set": _row(search)})

    async def unanswered_lately(self, traits_key: str, now: datetime) -> bool:
        """Whether INSi said 01 to the very same traits within 24 hours (spec/ins.md §4.2)."""
        rows = self._searches.find({"traits_key": traits_key, "requested_at": {"$gte": now - timedelta(hours=24)}})
        return any([row["search"]["state"] == SearchState.NOT_FOUND async for row in rows])

    async def open_for(self, patient_id: str) -> bool:
        """Whether a search of this person is under way."""
        query = {"patient_id": patient_id, "state": SearchState.REQUESTED.value}
        return await self._searches.find_one(query, {"_id": 1}) is not None


def search_of(row: Mapping[str, Any]) -> Search:
    """The search of a row."""
    return Search.model_validate(row["search"])


async def find_search(database: AsyncDatabase[Document], search_id: str) -> Search | None:
    """Read one search outside a transaction."""
    row = await database[SEARCHES].find_one({"_id": search_id})
    return None if row is None else search_of(row)


class SealedExchange(BaseModel):
    """One call as sent and as answered: kept whole, opened only to decide and to justify."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    traits: Traits
    query: dict[str, str | None]
    reply: str
    """Body as received, UTF-8 with replacement of what is not."""

    def __repr__(self) -> str:
        return "SealedExchange(…)"

    __str__ = __repr__


class ExchangeLog:
    """Calls of a search, in order."""

    def __init__(self, keyring: Callable[[], Keyring]) -> None:
        self._keyring = keyring

    async def record(
        self, uow: UnitOfWork, *, search: Search, number: int, message_id: str, code: str, content: SealedExchange
    ) -> None:
        """Write one call; `number` counts the calls that were answered before it."""
        row = {
            "_id": f"{search.search_id}/{message_id}",
            "search_id": search.search_id,
            "number": number,
            "message_id": message_id,
            "code": code,
            "received_at": uow.now,
            "requested_by": search.requested_by,
            "sealed": Sealed.seal(content, self._keyring()).token,
        }
        await uow.collection(EXCHANGES).insert_one(row)

    async def asked(self, database: AsyncDatabase[Document], search_id: str) -> list[Asked]:
        """The calls that were answered, oldest first."""
        rows = await database[EXCHANGES].find({"search_id": search_id}).to_list()
        opened = [(row, self._open(row)) for row in sorted(rows, key=lambda one: one["number"])]
        return [Asked(Query(**content.query), row["code"]) for row, content in opened if row["code"] in _ANSWERS]  # type: ignore[arg-type]  # the keys are those of Query, written by record

    async def last(self, uow: UnitOfWork, search_id: str) -> SealedExchange | None:
        """The last answered call of a search with its reply."""
        rows = [row async for row in uow.collection(EXCHANGES).find({"search_id": search_id})]
        rows = [row for row in rows if row["code"] in _ANSWERS]
        return self._open(max(rows, key=lambda one: one["number"])) if rows else None

    def _open(self, row: Mapping[str, Any]) -> SealedExchange:
        sealed: Sealed[SealedExchange] = Sealed(row["sealed"])
        return sealed.open(self._keyring(), SealedExchange)


_ANSWERS = frozenset({"00", "01", "02"})


def _row(search: Search) -> dict[str, Any]:
    return {
        "_id": search.search_id,
        "patient_id": search.patient_id,
        "site_id": search.site_id,
        "state": search.state.value,
        "requested_at": search.requested_at,
        "search": search.model_dump(),
    }
