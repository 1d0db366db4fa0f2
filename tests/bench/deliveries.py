"""Draining what waited during an outage: a channel whose endpoint answers at once."""

from __future__ import annotations

import asyncio
import time
import uuid

from navette_chassis import Service, ServiceSettings, UnitOfWork
from navette_chassis.deliveries import Channel, Delivery, Outcome
from navette_chassis.testing import running, until
from navette_sandbox.embedded.broker import EmbeddedBroker

from tests.bench.floors import transactions_per_second
from tests.bench.table import Row

WAITING = 10_000
MEASURED_SECONDS = 20.0


async def drain(broker: EmbeddedBroker, uri: str) -> Row:
    """Deliveries per second with 10,000 waiting, over a fixed time; the floor is one bare transaction each."""
    settings = ServiceSettings.model_validate(
        {
            "environment": "development",
            "kafka_bootstrap": broker.bootstrap,
            "kafka_idempotent": broker.idempotent,
            "mongo_uri": uri,
            "mongo_database": f"bench_{uuid.uuid4().hex[:8]}",
            "psc_auth_url": "http://127.0.0.1:1",
        }
    )
    service = Service(settings, name="bench")
    done: list[float] = []
    gate = asyncio.Event()

    async def attempt(_delivery: Delivery) -> Outcome:
        await gate.wait()
        return Outcome.delivered()

    async def settle(_delivery: Delivery, _outcome: Outcome, _uow: UnitOfWork) -> None:
        done.append(time.monotonic())

    channel = Channel("bench", endpoint="bench", max_in_flight=8)
    service.deliver(channel, attempt=attempt, settle=settle)

    async def schedule(uow: UnitOfWork, first: int) -> None:
        for number in range(first, first + 100):
            await uow.schedule("bench", key=f"k{number}", group=f"g{number}", payload={"number": number})

    async with running(service):
        for first in range(0, WAITING, 100):
            await service.transact(schedule, first)
        gate.set()
        await until(lambda: bool(done), seconds=120)
        started, before = time.monotonic(), len(done)
        await until(lambda: time.monotonic() - started > MEASURED_SECONDS or len(done) >= WAITING, seconds=60)
        rate = (len(done) - before) / (time.monotonic() - started)
    floor = await transactions_per_second(uri)
    return Row(
        "drain of 10,000 waiting deliveries, no rate configured",
        "only the endpoint's rate",
        f"{rate:.0f}/s",
        f"{floor:.0f}/s (bare transactions of three writes)",
        f"{rate / floor:.2f}×",
    )
