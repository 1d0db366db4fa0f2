"""Searches in INSi: who asked, each call as sent and as answered (sealed), and what became of it (RIS.INS.40, .41)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.adapters.insi_soap import Exchange
from navette_ins.adapters.sealed_bytes import open_bytes, seal_bytes
from navette_ins.domain.insi.card import CardReading
from navette_ins.domain.insi.plan import Asked, Query
from navette_ins.domain.search import Search, SearchState
from navette_ins.domain.traits import Traits

BY_APP = "AV"
"""Code of an exchange that is no call: a reading of the Appli carte Vitale."""
SEARCHES = "insi_searches"
EXCHANGES = "insi_exchanges"


class SearchRepository:
    """Searches inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._searches = uow.collection(SEARCHES)

    async def add(self, search: Search, traits_key: str, card: Sealed[SealedCard] | None = None) -> None:
        """Store a new search; `traits_key` recognises the same question later without holding it.

        `card` stays, sealed, until the search has ended.
        """
        sealed = {} if card is None else {"card": card.token}
        await self._searches.insert_one(_row(search) | {"traits_key": traits_key} | sealed)

    async def get(self, search_id: str) -> Search | None:
        """The search of that id."""
        row = await self._searches.find_one({"_id": search_id})
        return None if row is None else search_of(row)

    async def save(self, search: Search) -> None:
        """Store what became of a search; what was read of a card is kept no longer than that."""
        ended = {} if search.state is SearchState.REQUESTED else {"$unset": {"card": ""}}
        await self._searches.update_one({"_id": search.search_id}, {"$set": _row(search)} | ended)

    async def unanswered_lately(self, traits_key: str, now: datetime) -> bool:
        """Whether INSi said 01 to the very same traits within 24 hours (spec/ins.md §4.2)."""
        rows = self._searches.find({"traits_key": traits_key, "requested_at": {"$gte": now - timedelta(hours=24)}})
        return any([row["search"]["state"] == SearchState.NOT_FOUND async for row in rows])

    async def known(self, traits_key: str) -> bool:
        """Whether this question was ever asked."""
        return await self._searches.find_one({"traits_key": traits_key}, {"_id": 1}) is not None

    async def calls_since(self, uow: UnitOfWork, patient_id: str, venue_id: str | None, since: datetime) -> int:
        """How many calls INSi answered about this person for this venue (without one: since then)."""
        query: dict[str, Any] = {"patient_id": patient_id, "code": {"$in": sorted(_ANSWERS)}}
        query |= {"received_at": {"$gte": since}} if venue_id is None else {"venue_id": venue_id}
        return await uow.collection(EXCHANGES).count_documents(query)

    async def not_found(self, patient_id: str, revision: int) -> bool:
        """Whether INSi knew nobody with the traits of that revision."""
        rows = self._searches.find({"patient_id": patient_id, "state": SearchState.NOT_FOUND.value})
        return any([row["search"]["revision"] == revision async for row in rows])

    async def open_for(self, patient_id: str) -> bool:
        """Whether a search of this person is under way."""
        query = {"patient_id": patient_id, "state": SearchState.REQUESTED.value}
        return await self._searches.find_one(query, {"_id": 1}) is not None


def search_of(row: Mapping[str, Any]) -> Search:
    """The search of a row."""
    return Search.model_validate(row["search"])


async def find_card(database: AsyncDatabase[Document], search_id: str, keyring: Keyring) -> SealedCard | None:
    """What was read of the card a search was opened with, while the search lasts."""
    row = await database[SEARCHES].find_one({"_id": search_id}, {"card": 1})
    if row is None or "card" not in row:
        return None
    sealed: Sealed[SealedCard] = Sealed(row["card"])
    return sealed.open(keyring, SealedCard)


async def find_search(database: AsyncDatabase[Document], search_id: str) -> Search | None:
    """Read one search outside a transaction."""
    row = await database[SEARCHES].find_one({"_id": search_id})
    return None if row is None else search_of(row)


class SealedCard(BaseModel):
    """A reading of a card and the beneficiary picked: kept sealed, and only until the search has ended."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reading: CardReading
    beneficiary: int

    def __repr__(self) -> str:
        return "SealedCard(…)"

    __str__ = __repr__


class SealedExchange(BaseModel):
    """One call as sent and as answered: kept whole, opened only to decide and to justify."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    traits: Traits
    query: dict[str, str | None]
    reply: bytes = Field(default=b"", exclude=True)
    """Body as received, byte for byte; sealed apart, because it may be long."""

    def __repr__(self) -> str:
        return "SealedExchange(…)"

    __str__ = __repr__


def exchange_of(row: Mapping[str, Any], keyring: Keyring) -> SealedExchange:
    """The exchange of a row. Raises SealError."""
    sealed: Sealed[SealedExchange] = Sealed(row["sealed"])
    return sealed.open(keyring, SealedExchange).model_copy(update={"reply": open_bytes(row["reply"], keyring)})


class ExchangeLog:
    """Calls of a search, in order (RIS.INS.40, RIS.INS.41; spec/ins.md §2.10)."""

    def __init__(self, keyring: Callable[[], Keyring]) -> None:
        self._keyring = keyring

    async def record(
        self,
        uow: UnitOfWork,
        *,
        search: Search,
        exchange: Exchange,
        number: int,
        code: str,
        mode: str,
        content: SealedExchange,
    ) -> None:
        """Write one call; `number` counts the calls that were answered before it."""
        row = {
            "_id": f"{search.search_id}/{exchange.message_id}",
            "search_id": search.search_id,
            "patient_id": search.patient_id,
            "venue_id": search.venue_id,
            "number": number,
            "operation": exchange.operation,
            "mode": mode,
            "sender": exchange.sender,
            "message_id": exchange.message_id,
            "code": code,
            "sent_at": exchange.sent_at,
            "received_at": exchange.received_at,
            "requested_by": search.requested_by,
            "sealed": Sealed.seal(content, self._keyring()).token,
            "reply": seal_bytes(content.reply, self._keyring()),
        }
        await uow.collection(EXCHANGES).insert_one(row)

    async def asked(self, database: AsyncDatabase[Document], search_id: str) -> list[Asked]:
        """The calls of a search by traits that were answered, oldest first."""
        rows = await database[EXCHANGES].find({"search_id": search_id}).to_list()
        opened = [(row, self._open(row)) for row in sorted(rows, key=lambda one: one["number"])]
        return [Asked(Query(**content.query), row["code"]) for row, content in opened if row["code"] in _ANSWERS]  # type: ignore[arg-type]  # the keys are those of Query, written by record

    async def last(self, uow: UnitOfWork, search_id: str) -> SealedExchange | None:
        """The last answered call of a search with its reply."""
        rows = [row async for row in uow.collection(EXCHANGES).find({"search_id": search_id})]
        rows = [row for row in rows if row["code"] in _ANSWERS | {BY_APP}]
        return self._open(max(rows, key=lambda one: one["number"])) if rows else None

    def _open(self, row: Mapping[str, Any]) -> SealedExchange:
        return exchange_of(row, self._keyring())


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
