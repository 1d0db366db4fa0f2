"""Dispatchers around a real database and a remote of our own: what was accepted there is what counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from navette_chassis import ManualClock, ServiceSettings, SystemClock
from navette_chassis.database import ensure_indexes
from navette_chassis.deliveries import Channel, Delivery, Outcome, RetryPolicy
from navette_chassis.deliveries.dispatcher import Dispatcher
from navette_chassis.deliveries.store import DeliveryStore
from navette_chassis.origin import Origin
from navette_chassis.orphans import SessionLedger
from navette_chassis.service import DeliveryHandler
from navette_chassis.testing import until
from navette_chassis.transactions import Transactions
from navette_sandbox.embedded.secantus import MongoServer
from pymongo import AsyncMongoClient

SOON = RetryPolicy(
    first=timedelta(milliseconds=50), cap=timedelta(milliseconds=200), query_first=timedelta(milliseconds=50)
)


@dataclass
class Remote:
    """The other side: answers as scripted, then accepts; remembers what it accepted and who was in at once."""

    script: list[Outcome | Exception] = field(default_factory=list)
    seen: list[Delivery] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    settled: list[tuple[str, Outcome]] = field(default_factory=list)
    ended: list[Delivery] = field(default_factory=list)
    busy: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    overlaps: list[str] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)
    seconds: float = 0.0
    gate: asyncio.Event | None = None

    async def attempt(self, delivery: Delivery) -> Outcome:
        self.seen.append(delivery)
        self.started_at.append(asyncio.get_running_loop().time())
        if self.busy[delivery.group]:
            self.overlaps.append(delivery.group)
        self.busy[delivery.group] += 1
        self.most_at_once = max(self.most_at_once, self.busy.total())
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(self.seconds)
            answer = self.script.pop(0) if self.script else Outcome.delivered(remote="r-1")
            if isinstance(answer, Exception):
                raise answer
            if answer.kind.value == "delivered":
                self.accepted[delivery.key] += 1
            return answer
        finally:
            self.busy[delivery.group] -= 1

    async def settle(self, delivery: Delivery, outcome: Outcome, uow: Any) -> None:
        await uow.collection("settled").insert_one({"key": delivery.key, "code": outcome.code})
        self.settled.append((delivery.key, outcome))
        self.ended.append(delivery)


@dataclass
class Host:
    """The part of a service that deliveries use, without broker."""

    settings: ServiceSettings
    clock: Any
    delivery_handlers: list[DeliveryHandler]
    database: Any
    transactions: Any = None


class Office:
    """One database, any number of dispatchers ("workers") on it."""

    def __init__(self, client: Any, name: str, uri: str) -> None:
        self.client, self.name, self.uri = client, name, uri
        self.database = client[name]
        self.clock: Any = SystemClock()
        self.sessions = SessionLedger(self.database, SystemClock())
        self.remote = Remote()
        self.channels: list[Channel] = [Channel("dmp.publish", "dmp", retry=SOON)]

    def host(self, **changes: Any) -> Host:
        values = {
            "environment": "development",
            "kafka_bootstrap": "none:1",
            "mongo_uri": self.uri,
            "psc_auth_url": "http://127.0.0.1:1",
            "delivery_poll_seconds": 0.05,
            "delivery_lease_seconds": 5.0,
        }
        handlers = [DeliveryHandler(channel, self.remote.attempt, self.remote.settle) for channel in self.channels]
        settings = ServiceSettings.model_validate(values | changes)
        return Host(settings, self.clock, handlers, self.database)

    def worker(self, **changes: Any) -> tuple[Dispatcher, DeliveryStore, Host]:
        host = self.host(**changes)
        store = DeliveryStore(host)
        dispatcher = Dispatcher(host, store)
        host.transactions = Transactions(
            client=self.client,
            database=self.database,
            clock=self.clock,
            source="/navette/test",
            deliveries=store,
            sessions=self.sessions,
            on_promises=lambda: None,
            on_scheduled=dispatcher.nudge,
        )
        return dispatcher, store, host

    async def transact(self, use_case: Callable[..., Awaitable[Any]]) -> Any:
        _, _, host = self.worker()
        return await host.transactions.run(use_case, Origin("correlation-1"))

    async def schedule(self, *keys: str, channel: str = "dmp.publish", group: str | None = None, **more: Any) -> None:
        async def use_case(uow: Any) -> None:
            for key in keys:
                await uow.schedule(channel, key=key, group=group or f"g-{key}", payload={"report_id": key}, **more)

        await self.transact(use_case)

    @asynccontextmanager
    async def at_work(self, workers: int = 1, **changes: Any) -> AsyncIterator[list[Dispatcher]]:
        stopping = asyncio.Event()
        dispatchers = [self.worker(**changes)[0] for _ in range(workers)]
        tasks = [asyncio.create_task(dispatcher.run(stopping)) for dispatcher in dispatchers]
        try:
            yield dispatchers
        finally:
            stopping.set()
            _, pending = await asyncio.wait(tasks, timeout=30)
            for task in pending:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=bool(pending))

    async def row(self, key: str) -> dict[str, Any] | None:
        for name in ("deliveries", "deliveries_done"):
            row = await self.database[name].find_one({"key": key})
            if row is not None:
                return dict(row)
        return None

    async def reaches(self, key: str, state: str, seconds: float = 60.0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            row = await self.row(key)
            return row if row is not None and row["state"] == state else None

        return await until(there, seconds) or {}

    async def notices(self) -> list[str]:
        return [row["kind"] async for row in self.database["notices"].find({}).sort("at", 1)]


@pytest.fixture
async def office(mongo_server: MongoServer, mongo_database: str) -> AsyncIterator[Office]:
    async with AsyncMongoClient[dict[str, Any]](mongo_server.uri, tz_aware=True) as client:
        office = Office(client, mongo_database, mongo_server.uri)
        await ensure_indexes(office.database, DeliveryStore.INDEXES)
        yield office
        if mongo_server.child.running:
            await office.sessions.reap()  # transactions of killed workers would hold the database open


@pytest.fixture
def noon() -> ManualClock:
    return ManualClock(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
