"""Replicas of a service come and go while messages flow."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from navette_chassis import Received, Service, UnitOfWork
from navette_chassis.testing import is_ready, running, until


def replica(world: Any, handled: list[tuple[str, int]]) -> Service:
    """One process's worth of the same service: same name, same groups, same database."""
    service = world.service()

    @service.on(world.event)
    async def handle(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"key": received.subject, "n": received.event.number})
        handled.append((received.subject, received.event.number))

    return service


async def test_replicas_share_the_partitions_and_nothing_is_lost_or_done_twice(world: Any) -> None:
    keys = [f"k{number}" for number in range(6)]
    enough = asyncio.Event()
    by_first: list[tuple[str, int]] = []
    by_second: list[tuple[str, int]] = []
    first, second = replica(world, by_first), replica(world, by_second)

    async def produce() -> int:
        number = 0
        while not enough.is_set() or number < 60:
            key = keys[number % len(keys)]
            await world.send(world.message(key, number), key=key)
            number += 1
        return number

    async with running(first):
        producing = asyncio.create_task(produce())
        await until(lambda: len(by_first) > 20)
        await second.start()
        await until(lambda: by_second)
        await second.stop()
        enough.set()
        total = await producing
        await until(lambda: stored(world, total))
        await until(lambda: is_ready(first))
    rows = await world.database["things"].find().to_list()
    assert Counter(row["n"] for row in rows) == Counter(range(total))


async def stored(world: Any, count: int) -> bool:
    return bool(await world.database["things"].count_documents({}) >= count)


async def test_a_rebalance_between_work_and_commit_costs_a_redelivery_that_nobody_sees(world: Any) -> None:
    """The handler finishes after its partition went to another replica: its commit is refused, its work stands."""
    first_handled: list[tuple[str, int]] = []
    gate = asyncio.Event()
    slow = world.service()

    @slow.on(world.event, name="handle")
    async def wait_then_handle(received: Received[Any], uow: UnitOfWork) -> None:
        first_handled.append((received.subject, received.event.number))
        await gate.wait()
        await uow.collection("things").insert_one({"key": received.subject, "n": received.event.number})

    others: list[tuple[str, int]] = []
    async with running(slow):
        for key in ("a", "b", "c", "d", "e", "f"):
            await world.send(world.message(key, 1), key=key)
        await until(lambda: first_handled)
        other = replica(world, others)
        async with running(other, seconds=60):
            gate.set()
            await until(lambda: stored(world, 6), seconds=60)
            await until(lambda: everything_committed(world), seconds=60)
    rows = await world.database["things"].find().to_list()
    assert Counter(row["key"] for row in rows) == Counter("abcdef")


async def everything_committed(world: Any) -> bool:
    return bool(await world.committed("handle") == 6)
