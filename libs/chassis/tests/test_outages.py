"""Broker or database gone, then back: nobody has to lend a hand, nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections import Counter
from typing import Any

import pytest
import structlog
from navette_chassis import Received, Service, UnitOfWork
from navette_chassis import producer as producer_module
from navette_chassis.producer import PublishError
from navette_chassis.telemetry import logs
from navette_chassis.testing import is_ready, running, until
from pymongo.errors import PyMongoError


@pytest.fixture(autouse=True)
def short_publications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outages of seconds stand for outages of minutes: what must be overrun by them is made shorter too."""
    monkeypatch.setattr(producer_module, "PUBLISH_SECONDS", 3.0)


def writing_down(world: Any) -> Service:
    service = world.service()

    @service.on(world.event)
    async def write_down(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"n": received.event.number})

    return service


async def all_once(world: Any, count: int) -> bool:
    rows = await world.database["things"].find().to_list()
    times = Counter(row["n"] for row in rows)
    assert not times or max(times.values()) == 1, "an event was acted on twice"
    return len(times) == count


async def test_a_broker_that_was_gone_is_found_again_and_gets_what_was_committed_meanwhile(
    frail_world: Any,
) -> None:
    world, service = frail_world, writing_down(frail_world)
    async with running(service):
        await service.transact(world.emit, "a", 1)
        await until(lambda: all_once(world, 1))
        await world.broker.gate.shut()
        for number in range(2, 12):
            await service.transact(world.emit, f"k{number % 3}", number)
        await until(lambda: is_told(service, "broker", "unreachable"))
        await asyncio.sleep(4.0)
        await world.broker.gate.open()
        await until(lambda: all_once(world, 11), seconds=90)
        await until(lambda: is_ready(service), seconds=90)


async def test_a_broker_that_froze_is_waited_for(frail_world: Any) -> None:
    world, service = frail_world, writing_down(frail_world)
    async with running(service):
        await service.transact(world.emit, "a", 1)
        await until(lambda: all_once(world, 1))
        world.broker.pause()
        try:
            for number in range(2, 8):
                await service.transact(world.emit, "a", number)
            await asyncio.sleep(5.0)
        finally:
            world.broker.resume()
        await until(lambda: all_once(world, 7), seconds=90)
        await until(lambda: is_ready(service), seconds=90)


async def test_a_database_that_was_killed_is_found_again_and_no_message_was_passed_over(
    frail_world: Any,
) -> None:
    world, service = frail_world, writing_down(frail_world)
    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: all_once(world, 1))
        world.mongo.kill()
        await world.send(*[world.message("k", number) for number in range(2, 12)])
        await until(lambda: is_told(service, "database", "unreachable"))
        await asyncio.sleep(4.0)
        assert (await service.checks())["consumer:write_down"] == "ok"
        await asyncio.to_thread(world.mongo.start)
        await until(lambda: all_once(world, 11), seconds=90)
        await until(lambda: is_ready(service), seconds=90)


async def test_a_broker_that_is_gone_does_not_flood_the_log(frail_world: Any) -> None:
    """aiokafka says hundreds of times a second that nobody answers; the log says it once a minute."""
    world, service = frail_world, writing_down(frail_world)
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.configure("test", "INFO", stream=stream)
    try:
        async with running(service):
            await world.broker.gate.shut()
            for number in range(20):
                await service.transact(world.emit, f"k{number}", number)
            await until(lambda: told(stream, "event_not_published"))
            await asyncio.sleep(5.0)
            lines = [json.loads(line) for line in stream.getvalue().splitlines()]
            await world.broker.gate.open()
            await until(lambda: all_once(world, 20), seconds=90)
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
    kinds = Counter((one["event"], one["logger"], one.get("error_at"), one.get("error")) for one in lines)
    assert kinds.most_common(1)[0][1] <= 3, kinds.most_common(3)


def told(stream: io.StringIO, event: str) -> bool:
    return f'"event":"{event}"' in stream.getvalue()


async def test_a_request_during_a_database_outage_is_told_and_not_half_written(frail_world: Any) -> None:
    world, service = frail_world, writing_down(frail_world)
    async with running(service):
        world.mongo.kill()
        with pytest.raises(PyMongoError):
            await service.transactions.run(lambda uow: world.emit(uow, "a", 1), origin_of_test(), retry_seconds=0.5)
        await asyncio.to_thread(world.mongo.start)
        await until(lambda: is_told(service, "database", "ok"))
        await service.transact(world.emit, "a", 2)
        await until(lambda: all_once(world, 1), seconds=90)


def origin_of_test() -> Any:
    from navette_chassis.origin import Origin

    return Origin("c")


async def test_a_service_started_before_its_broker_and_database_becomes_ready_when_they_come(
    frail_world: Any,
) -> None:
    world, service = frail_world, writing_down(frail_world)
    await world.broker.gate.shut()
    world.mongo.kill()
    starting = asyncio.create_task(service.start())
    await until(lambda: is_told(service, "database", "unreachable"))
    checks = await service.checks()
    assert (checks["service"], checks["broker"]) == ("starting", "unreachable")
    await asyncio.to_thread(world.mongo.start)
    await asyncio.wait_for(starting, 60)
    assert (await service.checks())["consumer:write_down"] == "not_joined"
    await world.broker.gate.open()
    await until(lambda: is_ready(service), seconds=90)
    await service.transact(world.emit, "a", 1)
    await until(lambda: all_once(world, 1))
    await service.stop()


async def test_a_publication_and_a_stop_end_in_time_while_the_broker_is_frozen(frail_world: Any) -> None:
    world = frail_world
    producer = world.producer()
    await producer.publish(world.topic, b"k", b"1", [])
    loop = asyncio.get_running_loop()
    world.broker.pause()
    try:
        began = loop.time()
        with pytest.raises(PublishError):
            await producer.publish(world.topic, b"k", b"2", [])
        assert loop.time() - began < 60.0, "bounded, where the library waits for ever"
        began = loop.time()
        await producer.stop()
        assert loop.time() - began < 60.0
    finally:
        world.broker.resume()


async def test_a_service_stops_in_bounded_time_while_its_broker_and_database_are_gone(frail_world: Any) -> None:
    world, service = frail_world, writing_down(frail_world)
    await service.start()
    await until(lambda: is_ready(service))
    await world.broker.gate.shut()
    world.mongo.kill()
    began = asyncio.get_running_loop().time()
    await service.stop()
    assert asyncio.get_running_loop().time() - began < 90.0


async def is_told(service: Service, check: str, code: str) -> bool:
    return (await service.checks()).get(check) == code
