"""An event from the transaction that promised it to the handler that acts on it, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from navette_chassis import Received, Service, UnitOfWork, uuid7
from navette_chassis.lease import LEASES
from navette_chassis.orphans import SESSIONS
from navette_chassis.testing import running, until
from pymongo import monitoring


def recording(service: Service, event: Any, **options: Any) -> list[Received[Any]]:
    """Register a handler that writes a row per event and remembers what it received."""
    seen: list[Received[Any]] = []

    async def note(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"thing": received.event.thing_id, "n": received.event.number})
        seen.append(received)

    service.on(event, **options)(note)
    return seen


async def test_a_committed_event_reaches_its_handler_with_the_facts_of_its_envelope(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event)
    async with running(service):
        await service.transact(world.emit, "a", 7)
        await until(lambda: seen)
    (received,) = seen
    assert (received.event.thing_id, received.event.number) == ("a", 7)
    assert (received.subject, received.sequence, received.causation_id) == ("a", 7, None)
    assert received.id < uuid7()
    assert received.time <= datetime.now(UTC)
    assert await world.database["outbox"].count_documents({}) == 0


async def test_what_a_handler_emits_carries_on_the_correlation_and_names_its_cause(world: Any) -> None:
    other = world.new_event()
    service = world.service()
    first = recording(service, other, name="second_step")

    @service.on(world.event)
    async def first_step(received: Received[Any], uow: UnitOfWork) -> None:
        await world.emit(uow, "a", received.event.number, event=other)

    async with running(service):
        await world.send(world.message("a", 1, id=(cause := uuid7()), correlation_id="corr-1"))
        await until(lambda: first)
    assert (first[0].correlation_id, first[0].causation_id) == ("corr-1", cause)


async def test_a_use_case_that_fails_leaves_no_state_and_no_event(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event)

    async def fails(uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"n": 1})
        await world.emit(uow, "a", 1)
        raise LookupError

    async with running(service):
        with pytest.raises(LookupError):
            await service.transact(fails)
        await service.transact(world.emit, "a", 2)
        await until(lambda: seen)
    assert [one.event.number for one in seen] == [2]
    assert await world.database["things"].count_documents({"n": 1}) == 0


async def test_an_event_delivered_twice_is_handled_once_and_its_second_offset_is_committed(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event)
    twice = world.message("k", 1)
    async with running(service):
        await world.send(twice, twice, world.message("k", 2))
        await until(lambda: len(seen) == 2)
        await until(lambda: committed_all(world, "note", 3))
    assert [one.event.number for one in seen] == [1, 2]
    assert await world.database["things"].count_documents({"n": 1}) == 1


async def committed_all(world: Any, handler: str, count: int) -> bool:
    return bool(await world.committed(handler) == count)


async def test_two_handlers_of_one_event_each_get_it_in_a_group_of_their_own(world: Any) -> None:
    service = world.service()
    one = recording(service, world.event, name="one")
    two = recording(service, world.event, name="two")
    async with running(service):
        await service.transact(world.emit, "a", 1)
        await until(lambda: one and two)
    assert {row["_id"].partition("/")[0] for row in await world.database["inbox"].find().to_list()} == {"one", "two"}


async def test_events_of_one_subject_are_handled_in_the_order_they_were_committed(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event)
    async with running(service):
        for number in range(1, 21):
            await asyncio.gather(*(service.transact(world.emit, key, number) for key in "abcde"))
        await until(lambda: len(seen) == 100)
    for key in "abcde":
        assert [one.event.number for one in seen if one.subject == key] == list(range(1, 21))


async def test_an_ordered_handler_never_acts_on_what_a_later_event_superseded(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event, ordered=True)
    async with running(service):
        late = world.message("k", 3)
        await world.send(world.message("k", 4), late, world.message("k", 5))
        await until(lambda: len(seen) == 2)
        await until(lambda: committed_all(world, "note", 3))
    assert [one.event.number for one in seen] == [4, 5]
    outcomes = sorted(row["outcome"] for row in await world.database["inbox"].find().to_list())
    assert outcomes == ["done", "done", "superseded"]


async def test_a_later_event_on_another_topic_supersedes_too(world: Any) -> None:
    withdrawn = world.new_event("withdrawn")
    service = world.service()
    published = recording(service, world.event, ordered=True, name="publish")
    withdrawals = recording(service, withdrawn, ordered=True, name="withdraw")
    async with running(service):
        await service.transact(world.emit, "k", 5, event=withdrawn)
        await until(lambda: withdrawals)
        await service.transact(world.emit, "k", 4)
        await service.transact(world.emit, "other", 1)
        await until(lambda: published)
        await until(lambda: committed_all(world, "publish", 2))
    assert [one.subject for one in published] == ["other"]


async def test_an_event_of_the_same_sequence_is_not_superseded(world: Any) -> None:
    second = world.new_event("second")
    service = world.service()
    one = recording(service, world.event, ordered=True, name="one")
    two = recording(service, second, ordered=True, name="two")
    async with running(service):
        await service.transact(world.emit, "k", 5)
        await until(lambda: one)
        await service.transact(world.emit, "k", 5, event=second)
        await until(lambda: two)


class Commands(monitoring.CommandListener):
    """Names of the commands sent to the database for messages.

    Not those at rest: a lease is renewed by the clock, a session of the pool is noted once, whatever is handled.
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command.get(event.command_name) not in {LEASES, SESSIONS}:
            self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Started is what counts."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Started is what counts."""


@pytest.fixture
def commands() -> Iterator[list[str]]:
    """What is sent to the database by clients made during the test."""
    listener = Commands()
    monitoring.register(listener)
    yield listener.names
    monitoring._LISTENERS.command_listeners.remove(listener)


async def test_handling_a_message_costs_two_database_commands_besides_those_of_the_handler(
    world: Any, commands: list[str]
) -> None:
    service = world.service(outbox_poll_seconds=30.0, lease_ttl_seconds=90.0)
    handled: list[Any] = []

    @service.on(world.event)
    async def only_count(received: Received[Any], uow: UnitOfWork) -> None:
        handled.append(received)

    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: handled and commands[-1] == "commitTransaction")
        commands.clear()
        await world.send(world.message("k", 2))
        await until(lambda: len(handled) == 2 and "commitTransaction" in commands)
        assert commands == ["insert", "commitTransaction"]


async def test_publishing_the_events_of_a_transaction_costs_an_insert_a_find_and_a_delete(
    world: Any, commands: list[str]
) -> None:
    service = world.service(outbox_poll_seconds=30.0, lease_ttl_seconds=90.0)
    async with running(service):
        await service.transact(world.emit, "warm-up", 1)
        await until(lambda: "delete" in commands)
        commands.clear()
        await service.transact(world.emit, "k", 2)
        await until(lambda: "delete" in commands)
        assert sorted(commands) == ["commitTransaction", "delete", "find", "insert"]


def test_two_handlers_of_one_name_are_refused_because_they_would_share_a_group(world: Any) -> None:
    service = world.service()
    recording(service, world.event)
    with pytest.raises(ValueError, match="needs a name of its own"):
        recording(service, world.event)


async def test_a_subject_other_than_the_key_of_the_event_is_refused(world: Any) -> None:
    service = world.service()

    async def wrong(uow: UnitOfWork) -> None:
        await uow.emit(world.event(thing_id="a", number=1), subject="b")

    async with running(service):
        with pytest.raises(ValueError, match="must be its thing_id"):
            await service.transact(wrong)


async def test_scheduling_without_a_declared_channel_is_refused(world: Any) -> None:
    service = world.service()

    async def schedule(uow: UnitOfWork) -> None:
        await uow.schedule("dmp.publish", key="k", group="g", payload={})

    async with running(service):
        with pytest.raises(LookupError, match="declares no channel"):
            await service.transact(schedule)


async def test_a_resource_is_open_while_the_service_runs_and_only_then(world: Any) -> None:
    service = world.service()
    events: list[str] = []

    @asynccontextmanager
    async def pool() -> Any:
        events.append("open")
        yield "the pool"
        events.append("closed")

    resource = service.resource(pool)
    with pytest.raises(RuntimeError, match="only while its service runs"):
        resource()
    async with running(service):
        assert resource() == "the pool"
    assert events == ["open", "closed"]
    with pytest.raises(RuntimeError, match="only while its service runs"):
        resource()


async def test_a_service_can_be_started_again_after_a_stop(world: Any) -> None:
    service = world.service()
    seen = recording(service, world.event)
    async with running(service):
        await service.transact(world.emit, "a", 1)
        await until(lambda: seen)
    async with running(service):
        await service.transact(world.emit, "a", 2)
        await until(lambda: len(seen) == 2)
