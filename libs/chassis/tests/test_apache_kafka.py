"""The same promises on Apache Kafka, with the idempotent producer that the embedded broker refuses."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from navette_chassis import Received, Service, UnitOfWork
from navette_chassis import producer as producer_module
from navette_chassis.producer import PublishError
from navette_chassis.testing import is_ready, running, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]


@pytest.fixture
async def kafka_world(world: Any, apache_kafka: Any) -> Any:
    apache_kafka.create_topics([world.topic, f"{world.topic}.dlq"], partitions=3)
    return replace(world, broker=apache_kafka, name=f"svc{uuid.uuid4().hex[:8]}")


def writing_down(world: Any) -> Service:
    service = world.service(kafka_fetch_wait_ms=200)

    @service.on(world.event)
    async def write_down(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"n": received.event.number})

    return service


async def all_once(world: Any, count: int) -> bool:
    rows = await world.database["things"].find().to_list()
    times = Counter(row["n"] for row in rows)
    assert not times or max(times.values()) == 1
    return len(times) == count


async def test_a_broker_killed_and_restarted_loses_nothing_and_needs_no_hand(kafka_world: Any) -> None:
    world, service = kafka_world, writing_down(kafka_world)
    async with running(service, seconds=60):
        await service.transact(world.emit, "a", 1)
        await until(lambda: all_once(world, 1), seconds=30)
        world.broker.kill()
        for number in range(2, 22):
            await service.transact(world.emit, f"k{number % 3}", number)
        await asyncio.to_thread(world.broker.start)
        await until(lambda: all_once(world, 21), seconds=60)
        await until(lambda: is_ready(service), seconds=60)


async def test_an_idempotent_publication_and_its_stop_end_in_time_while_the_broker_is_frozen(
    kafka_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "PUBLISH_SECONDS", 2.0)
    world = kafka_world
    producer = world.producer()
    await producer.publish(world.topic, b"k", b"1", [])
    assert (await producer._connection())._txn_manager is not None, "this is the idempotent one"
    loop = asyncio.get_running_loop()
    world.broker.pause()
    try:
        began = loop.time()
        with pytest.raises(PublishError):
            await producer.publish(world.topic, b"k", b"2", [])
        await producer.stop()
        assert loop.time() - began < 60.0, "bounded, where the library waits for ever"
    finally:
        world.broker.resume()
    await producer.publish(world.topic, b"k", b"3", [])
    await producer.stop()
