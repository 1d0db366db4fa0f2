"""What nobody could ever handle is put aside with a reason; too much of it means that we are wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from navette_chassis import Received, UnitOfWork
from navette_chassis.dlq import MAX_IN_A_ROW, WINDOW, PoisonLimit
from navette_chassis.testing import is_ready, running, until
from structlog.testing import capture_logs

CANARY = "CANARI-DUPONT-1850675056042"


@pytest.fixture
def seen(world: Any) -> list[int]:
    return []


@pytest.fixture
def service(world: Any, seen: list[int]) -> Any:
    service = world.service()

    @service.on(world.event, ordered=True)
    async def note(received: Received[Any], uow: UnitOfWork) -> None:
        seen.append(received.event.number)

    return service


def poisons(world: Any) -> dict[str, tuple[list[tuple[str, bytes]], bytes | None]]:
    """Messages that nobody can handle, by the reason their dead letters must have; each holds the canary."""
    headers, body = world.message("k", 1)
    without_sequence = [(name, value) for name, value in headers if name != "ce_sequence"]
    odd = [(name, value) for name, value in headers if name != "ce_type"]
    quoted = f'"{CANARY}"'.encode()
    return {
        "envelope": ([("ce_id", CANARY.encode())], body.replace(b'"k"', quoted)),
        "contract": (headers, b'{"thing_id": "k", "number": ' + quoted + b"}"),
        "sequence_missing": (without_sequence, body),
        "unexpected_type": ([*odd, ("ce_type", b"report.signed.v1")], body),
    }


async def test_a_failure_nobody_foresaw_halts_the_consumer_rather_than_losing_the_message(
    world: Any, service: Any, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("navette_chassis.consumers.publish_dead_letter", broken)
    async with running(service):
        await world.send(poisons(world)["contract"], world.message("k", 2))

        async def halted() -> bool:
            return (await service.checks())["consumer:note"] == "halted"

        await until(halted)
        assert seen == []
        assert await world.committed("note") == 0


async def test_a_poison_message_is_put_aside_with_its_reason_and_the_consumer_goes_on(
    world: Any, service: Any, seen: list[int]
) -> None:
    poison = poisons(world)
    async with running(service):
        await world.send(*poison.values(), world.message("k", 2))
        await until(lambda: seen == [2])
        letters = await world.read(f"{world.topic}.dlq", len(poison))
        assert await is_ready(service)
    assert [dict(letter.headers)["dlq_reason"].decode() for letter in letters] == list(poison)
    assert [letter.value for letter in letters] == [value for _, value in poison.values()]


async def test_a_dead_letter_says_where_it_was_found_and_never_what_it_contained(
    world: Any, service: Any, seen: list[int]
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers, _ = world.message("k", 1, traceparent=trace)
    async with running(service):
        await world.send(world.message("k", 1), (headers, f'{{"number": "{CANARY}"}}'.encode()))
        await until(lambda: seen)
        (letter,) = await world.read(f"{world.topic}.dlq", 1)
    added = {name: value.decode() for name, value in letter.headers if name.startswith("dlq_")}
    (original,) = [one for one in await world.read(world.topic, 2) if CANARY.encode() in one.value]
    assert added.pop("dlq_first_seen").startswith("20")
    assert added == {
        "dlq_reason": "contract",
        "dlq_original_topic": world.topic,
        "dlq_original_partition": str(original.partition),
        "dlq_original_offset": str(original.offset),
        "dlq_consumer_group": f"navette-{world.name}.note",
        "dlq_trace_id": "0af7651916cd43dd8448eb211c80319c",
    }
    assert letter.key == original.key


async def test_nothing_of_a_poison_message_appears_in_the_logs(
    world: Any, service: Any, seen: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="faststream")
    caplog.set_level(logging.INFO)
    with capture_logs() as lines:
        async with running(service):
            await world.send(*poisons(world).values(), world.message("k", 2))
            await until(lambda: seen)
    assert [line["reason"] for line in lines if line["event"] == "message_dead_lettered"]
    assert CANARY not in caplog.text
    assert CANARY not in repr(lines)


async def test_a_message_of_the_next_major_version_is_left_to_its_own_consumers(
    world: Any, service: Any, seen: list[int]
) -> None:
    next_major = world.message("k", 1, type=world.event.type.replace(".v1", ".v2"))
    async with running(service):
        await world.send(next_major, world.message("k", 2))
        await until(lambda: seen == [2])
    with pytest.raises(TimeoutError):
        await read_soon(world)


async def read_soon(world: Any) -> None:
    async with asyncio.timeout(1.0):
        await world.read(f"{world.topic}.dlq", 1)


async def test_too_many_poison_messages_in_a_row_stop_the_consumer_before_it_buries_them_all(
    world: Any, service: Any, seen: list[int]
) -> None:
    poison = poisons(world)["contract"]
    async with running(service):
        await world.send(*[poison] * (MAX_IN_A_ROW + 5), world.message("k", 2))
        await until(lambda: is_halted(service))
        assert (await service.checks())["consumer:note"] == "halted"
        assert not await is_ready(service)
        assert len(await world.read(f"{world.topic}.dlq", MAX_IN_A_ROW - 1)) == MAX_IN_A_ROW - 1
        assert seen == []
    assert await world.committed("note") == MAX_IN_A_ROW - 1, "what it stopped at is read again after a repair"


def is_halted(service: Any) -> bool:
    return bool(service.running.consumers[0].halted)


def test_the_limit_tolerates_poison_below_five_percent_and_trips_above() -> None:
    tolerated = PoisonLimit()
    for number in range(10 * WINDOW):
        tolerated.note(poison=number % 20 == 0)
    assert not tolerated.exceeded
    tripped = PoisonLimit()
    for number in range(WINDOW):
        tripped.note(poison=number % 15 == 0)
    assert tripped.exceeded


def test_one_poison_message_among_the_first_few_does_not_trip_the_limit() -> None:
    limit = PoisonLimit()
    limit.note(poison=True)
    assert not limit.exceeded


def test_old_poison_is_forgotten() -> None:
    limit = PoisonLimit()
    for _ in range(MAX_IN_A_ROW - 1):
        limit.note(poison=True)
    for _ in range(WINDOW):
        limit.note(poison=False)
    for _ in range(MAX_IN_A_ROW - 1):
        limit.note(poison=True)
    assert not limit.exceeded


async def test_a_body_whose_reading_fails_in_an_unforeseen_way_is_poison_too(
    world: Any, service: Any, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What escapes the decoder would be acknowledged and lost."""
    parse = world.event.parse

    def failing(data: bytes) -> Any:
        if b'"number":1' in data.replace(b" ", b""):
            raise OverflowError(CANARY)
        return parse(data)

    monkeypatch.setattr(world.event, "parse", failing)
    async with running(service):
        await world.send(world.message("k", 1), world.message("k", 2))
        await until(lambda: seen == [2])
        (letter,) = await world.read(f"{world.topic}.dlq", 1)
    assert dict(letter.headers)["dlq_reason"] == b"contract"
    assert all(CANARY.encode() not in value for _, value in letter.headers)
