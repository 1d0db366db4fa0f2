"""The bare minimum: one message through the broker, one transaction, one HTTPS request, nothing of ours around it."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from navette_sandbox.embedded.broker import EmbeddedBroker
from pymongo import AsyncMongoClient

ROUNDS = 60


async def broker_hop(broker: EmbeddedBroker) -> float:
    """Median seconds from sending a message to having it in a consumer."""
    topic = f"bench.{uuid.uuid4().hex[:8]}"
    broker.create_topics([topic])
    times: list[float] = []
    async with (
        AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer,
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer,
    ):
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await producer.send_and_wait(topic, b"x" * 1000)
            await consumer.getone()
            times.append(time.perf_counter() - started)
    return statistics.median(times)


async def transaction(uri: str) -> float:
    """Median seconds of a transaction of three writes."""
    times: list[float] = []
    async with AsyncMongoClient[dict[str, object]](uri) as client:
        rows = client[f"bench_{uuid.uuid4().hex[:8]}"]["rows"]
        await rows.insert_one({"_id": "first"})
        for number in range(ROUNDS):
            started = time.perf_counter()
            async with client.start_session() as session, await session.start_transaction():
                for part in range(3):
                    await rows.insert_one({"_id": f"{number}-{part}", "body": "x" * 500}, session=session)
            times.append(time.perf_counter() - started)
        await client.drop_database(rows.database.name)
    return statistics.median(times)


async def transactions_per_second(uri: str, *, at_once: int = 4, count: int = 400) -> float:
    """Transactions of three writes per second, a few at once."""
    async with AsyncMongoClient[dict[str, object]](uri) as client:
        rows = client[f"bench_{uuid.uuid4().hex[:8]}"]["rows"]
        await rows.insert_one({"_id": "first"})
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                async with client.start_session() as session, await session.start_transaction():
                    for part in range(3):
                        await rows.insert_one({"_id": f"{number}-{part}", "body": "x" * 500}, session=session)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        seconds = time.perf_counter() - started
        await client.drop_database(rows.database.name)
    return count / seconds
