"""A handler that fails loses nothing: its message is tried again in place, slower and slower."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from navette_chassis import Received, UnitOfWork
from navette_chassis import consumers as consumers_module
from navette_chassis.backoff import Backoff
from navette_chassis.consumers import MAX_FAILURES, may_pass
from navette_chassis.testing import is_ready, running, until
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure
from structlog.testing import capture_logs

CANARY = "CANARI-DUPONT"


class Handler:
    """Fails with ``error`` as long as there is one, after having written something."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.attempts: list[int] = []
        self.done: list[int] = []

    async def __call__(self, received: Received[Any], uow: UnitOfWork) -> None:
        number = received.event.number
        self.attempts.append(number)
        await uow.collection("things").insert_one({"n": number})
        if self.error is not None:
            raise self.error
        self.done.append(number)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers_module, "_RETRY", Backoff(first=0.02, cap=0.1))
    monkeypatch.setattr(consumers_module, "_FAILING", Backoff(first=0.2, cap=0.2))


async def test_a_bug_in_a_handler_makes_the_service_not_ready_and_its_repair_loses_nothing(world: Any) -> None:
    handler = Handler(RuntimeError(CANARY))
    service = world.service()
    service.on(world.event, name="buggy")(handler)
    with capture_logs() as lines:
        async with running(service):
            await world.send(world.message("k", 1), world.message("k", 2))
            await until(lambda: len(handler.attempts) > MAX_FAILURES)
            assert (await service.checks())["consumer:buggy"] == "failing"
            assert await world.committed("buggy") == 0
            assert handler.attempts == [1] * len(handler.attempts), "the next message waits for its turn"
            handler.error = None
            await until(lambda: handler.done == [1, 2])
            assert await is_ready(service)
    assert await world.database["things"].count_documents({}) == 2
    assert CANARY not in repr(lines)


async def test_a_failure_of_the_surroundings_never_counts_as_a_bug(world: Any) -> None:
    handler = Handler(AutoReconnect("gone"))
    service = world.service()
    service.on(world.event, name="unlucky")(handler)
    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: len(handler.attempts) > MAX_FAILURES + 3)
        assert (await service.checks())["consumer:unlucky"] == "ok"
        handler.error = None
        await until(lambda: handler.done == [1])


async def test_a_service_that_stops_while_a_message_fails_keeps_it_for_its_next_start(world: Any) -> None:
    handler = Handler(RuntimeError())
    service = world.service()
    service.on(world.event, name="buggy")(handler)
    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: len(handler.attempts) >= 2)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 30.0, "the wait between two attempts is cut short"
    assert await world.committed("buggy") == 0
    handler.error = None
    async with running(service):
        await until(lambda: handler.done == [1])


async def test_a_handler_that_hangs_is_cut_and_tried_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers_module, "HANDLER_SECONDS", 3.0)
    service = world.service()
    attempts: list[int] = []

    @service.on(world.event)
    async def hangs_once(received: Received[Any], uow: UnitOfWork) -> None:
        attempts.append(received.event.number)
        if len(attempts) == 1:
            await asyncio.sleep(3600)

    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: len(attempts) >= 2)
        await until(lambda: is_committed(world))


async def is_committed(world: Any) -> bool:
    return bool(await world.committed("hangs_once") == 1)


async def test_two_handlers_that_write_the_same_document_both_succeed(world: Any) -> None:
    """Write conflicts are retried inside the attempt: nobody sees them."""
    service = world.service()

    def counting(name: str) -> None:
        async def count(received: Received[Any], uow: UnitOfWork) -> None:
            counters = uow.collection("counters")
            found = await counters.find_one({"_id": "c"})
            await asyncio.sleep(0)
            value = 0 if found is None else int(found["value"])
            await counters.update_one({"_id": "c"}, {"$set": {"value": value + 1}}, upsert=True)

        service.on(world.event, name=name)(count)

    for name in ("one", "two", "three"):
        counting(name)
    async with running(service):
        await world.send(*[world.message("k", number) for number in range(10)])
        await until(lambda: total(world, 30))


async def total(world: Any, expected: int) -> bool:
    found = await world.database["counters"].find_one({"_id": "c"})
    return found is not None and bool(found["value"] == expected)


def test_only_failures_of_the_surroundings_may_pass_by_themselves() -> None:
    conflict = OperationFailure("conflict", 112, {"errorLabels": ["TransientTransactionError"]})
    assert may_pass(conflict)
    assert may_pass(AutoReconnect())
    assert not may_pass(DuplicateKeyError("twice"))
    assert not may_pass(ValueError())
    assert not may_pass(TimeoutError())
