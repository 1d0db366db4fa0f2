"""What all workers know together of an endpoint: whether it answers, and when the next call may start.

Kept in MongoDB, so that an outage has exactly one notice at its start and one at its end however many
processes work and however often they restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from navette_chassis.deliveries.model import Channel
from navette_chassis.deliveries.policy import BreakerPolicy
from navette_chassis.deliveries.rows import ENDPOINTS, NOTICES
from navette_chassis.deliveries.store import Host
from navette_chassis.origin import current_origin
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.unit_of_work import UnitOfWork

log = structlog.get_logger("navette.deliveries")

#: How long a process trusts what it read of an endpoint, seconds.
TRUST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _State:
    failures: int
    is_open: bool
    read_at: float


class Endpoints:
    """Breaker and rate of the endpoints of one service."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, _State] = {}

    @property
    def _collection(self) -> AsyncCollection[dict[str, Any]]:
        return self._host.database[ENDPOINTS]

    async def ensure(self, endpoint: str) -> None:
        """Create the row of an endpoint, closed, if there is none."""
        fresh = {"failures": 0, "open": False, "outage": 0, "probes": 0}
        await self._collection.update_one({"_id": endpoint}, {"$setOnInsert": fresh}, upsert=True)

    async def may_call(self, channel: Channel, now: datetime) -> bool:
        """Whether a delivery may be claimed: the endpoint answers, or this call is the probe."""
        state = await self._state(channel.endpoint)
        if not state.is_open:
            return True
        row = await self._collection.find_one({"_id": channel.endpoint})
        if row is None or not row["open"]:
            self._remember(channel.endpoint, row)
            return True
        next_probe = now + channel.breaker.probe_delay(row["probes"])
        taken = await self._collection.update_one(
            {"_id": channel.endpoint, "open": True, "probe_at": {"$lte": now}}, {"$set": {"probe_at": next_probe}}
        )
        return taken.modified_count == 1

    async def slot(self, channel: Channel, now: datetime) -> datetime:
        """When the next call may start under the channel's rate; reserves that moment for the caller."""
        if channel.rate_per_second is None:
            return now
        interval = 1000 / channel.rate_per_second
        row: Any = await self._collection.find_one_and_update(
            {"_id": channel.endpoint},
            [{"$set": {"next_slot": {"$add": [{"$max": ["$next_slot", now]}, interval]}}}],
            return_document=ReturnDocument.AFTER,
        )
        reserved: datetime = row["next_slot"]
        return reserved - timedelta(milliseconds=interval)

    async def nobody_answered(self, endpoint: str, policy: BreakerPolicy, now: datetime) -> None:
        """Note an attempt that nobody answered; opens the breaker when it was one too many."""
        row: Any = await self._collection.find_one_and_update(
            {"_id": endpoint}, {"$inc": {"failures": 1}}, return_document=ReturnDocument.AFTER
        )
        if row["open"]:
            probes = row["probes"] + 1
            await self._collection.update_one(
                {"_id": endpoint, "open": True},
                {"$set": {"probes": probes, "probe_at": now + policy.probe_delay(probes)}},
            )
        elif row["failures"] >= policy.failures:
            closed_and_failing = {"_id": endpoint, "open": False, "failures": {"$gte": policy.failures}}
            opened = {"open": True, "opened_at": now, "probes": 0, "probe_at": now + policy.probe_delay(0)}
            await self._switch(closed_and_failing, {"$set": opened, "$inc": {"outage": 1}}, "outage_started")
        self._known.pop(endpoint, None)

    async def answered(self, endpoint: str, started_at: datetime) -> None:
        """Note an attempt the endpoint answered; closes the breaker if it began after the outage did."""
        state = await self._state(endpoint)
        if not state.is_open and state.failures == 0:
            return
        closed = {"$set": {"open": False, "failures": 0, "probes": 0}}
        opened_before = {"_id": endpoint, "open": True, "opened_at": {"$lt": started_at}}
        if not await self._switch(opened_before, closed, "outage_ended"):
            await self._collection.update_one({"_id": endpoint, "open": False}, {"$set": {"failures": 0}})
        self._known.pop(endpoint, None)

    async def _switch(self, query: dict[str, Any], update: dict[str, Any], kind: str) -> bool:
        """Change the breaker and write the notice in one transaction; True for the one process that did."""
        endpoint: str = query["_id"]

        async def change(uow: UnitOfWork) -> bool:
            collection = uow.collection(ENDPOINTS)
            if (await collection.update_one(query, update)).modified_count != 1:
                return False
            row = await collection.find_one({"_id": endpoint})
            assert row is not None
            await note(uow, endpoint, kind, f"{endpoint}:{row['outage']}:{kind}")
            return True

        switched = await self._host.transactions.run(change, current_origin())
        if switched:
            announce(endpoint, kind)
        return switched

    async def _state(self, endpoint: str) -> _State:
        known = self._known.get(endpoint)
        if known is None or _loop_time() - known.read_at > TRUST_SECONDS:
            known = self._remember(endpoint, await self._collection.find_one({"_id": endpoint}))
        return known

    def _remember(self, endpoint: str, row: dict[str, Any] | None) -> _State:
        state = _State(
            failures=0 if row is None else row["failures"],
            is_open=row is not None and row["open"],
            read_at=_loop_time(),
        )
        metrics().set("navette_breaker_open", int(state.is_open), endpoint=endpoint)
        self._known[endpoint] = state
        return state


async def note(uow: UnitOfWork, endpoint: str, kind: str, notice_id: str, **more: str) -> None:
    """Write one notice for the operator in the transaction of what it is about."""
    await uow.collection(NOTICES).insert_one(
        {"_id": notice_id, "endpoint": endpoint, "kind": kind, "at": uow.now, **more}
    )


def announce(endpoint: str, kind: str) -> None:
    """Log and count a notice once it is committed."""
    log.warning("delivery.notice", endpoint=endpoint, kind=kind)
    metrics().count("navette_notices", endpoint=endpoint, kind=kind)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
