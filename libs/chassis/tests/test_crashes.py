"""Real processes, killed: between any two steps, at random moments, and by an orderly SIGTERM every second.

Lost 0, done twice 0. What may happen twice is a message on the wire, and only there.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from navette_chassis.steps import Step
from navette_chassis.testing import until

SCRIPT = Path(__file__).with_name("crashing_service.py")


class Processes:
    """Starts the service in processes; none outlives the test."""

    def __init__(self, world: Any, second: Any, log: Path) -> None:
        settings = world.settings(kafka_fetch_wait_ms=10)
        self._log = log
        self._environment = {
            "PATH": os.environ["PATH"],
            "NAVETTE_ENVIRONMENT": "development",
            "NAVETTE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "NAVETTE_KAFKA_IDEMPOTENT": str(settings.kafka_idempotent),
            "NAVETTE_KAFKA_SESSION_SECONDS": str(settings.kafka_session_seconds),
            "NAVETTE_KAFKA_FETCH_WAIT_MS": "10",
            "NAVETTE_MONGO_URI": world.mongo.uri,
            "NAVETTE_MONGO_DATABASE": world.database_name,
            "NAVETTE_PSC_AUTH_URL": "http://127.0.0.1:1",
            "NAVETTE_LEASE_TTL_SECONDS": "1",
            "NAVETTE_OUTBOX_POLL_SECONDS": "0.2",
            "NAVETTE_HTTP_HOST": "127.0.0.1",
            "NAVETTE_HTTP_PORT": "0",
            "CRASHING_NAME": world.name,
            "CRASHING_FAMILIES": f"{world.topic},{second.topic()}",
        }
        self._started: list[asyncio.subprocess.Process] = []

    async def start(self, **extra: str) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(SCRIPT), env=self._environment | extra, stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    async def kill_all(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def second(world: Any) -> Any:
    return world.new_event("second")


@pytest.fixture
async def processes(world: Any, second: Any, tmp_path: Path) -> AsyncIterator[Processes]:
    processes = Processes(world, second, tmp_path / "service.log")
    yield processes
    await processes.kill_all()


async def ended(world: Any) -> int:
    return int(await world.database["ended"].count_documents({}))


async def each_once(world: Any, count: int) -> None:
    for collection in ("begun", "ended"):
        rows = await world.database[collection].find().to_list()
        times = Counter(row["n"] for row in rows)
        assert times == Counter(range(count)), collection


@pytest.mark.parametrize("step", [Step.BEFORE_COMMIT, Step.AFTER_COMMIT, Step.AFTER_PUBLISH])
async def test_a_process_killed_between_two_steps_loses_nothing_and_doubles_nothing(
    world: Any, second: Any, processes: Processes, step: Step
) -> None:
    await world.send(*[world.message("k", number) for number in range(20)])
    doomed = await processes.start(CRASHING_STEP=step.value, CRASHING_TIMES="7")
    assert await asyncio.wait_for(doomed.wait(), 90) == -signal.SIGKILL
    assert await ended(world) < 20
    await processes.start()
    await until(lambda: all_ended(world, 20), seconds=90)
    await each_once(world, 20)
    if step is Step.AFTER_PUBLISH:
        records = await world.read(second.topic(), 21)
        assert len({dict(record.headers)["ce_id"] for record in records}) == 20, "doubled on the wire only"


async def all_ended(world: Any, count: int) -> bool:
    return await ended(world) >= count and await world.database["outbox"].count_documents({}) == 0


async def test_a_process_killed_after_a_dead_letter_goes_on_behind_it(
    world: Any, second: Any, processes: Processes
) -> None:
    headers, _ = world.message("k", 0)
    await world.send((headers, b"{}"), world.message("k", 0))
    doomed = await processes.start(CRASHING_STEP=Step.BEFORE_DEAD_LETTER_OFFSET.value, CRASHING_TIMES="1")
    assert await asyncio.wait_for(doomed.wait(), 90) == -signal.SIGKILL
    await processes.start()
    await until(lambda: all_ended(world, 1), seconds=90)
    letters = await world.read(f"{world.topic}.dlq", 2)
    assert len({dict(letter.headers)["dlq_original_offset"] for letter in letters}) == 1


async def test_kills_at_random_moments_lose_nothing_and_double_nothing(world: Any, processes: Processes) -> None:
    chance = random.Random(20261122)
    total = 300

    async def produce() -> None:
        for start in range(0, total, 10):
            keys = [f"k{chance.randrange(5)}" for _ in range(10)]
            for offset, key in enumerate(keys):
                await world.send(world.message(key, start + offset), key=key)
            await asyncio.sleep(0.25)

    producing = asyncio.create_task(produce())
    for _ in range(5):
        process = await processes.start()
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        process.kill()
        await process.wait()
    await processes.start()
    await producing
    await until(lambda: all_ended(world, total), seconds=120)
    await each_once(world, total)


async def test_a_deployment_every_second_loses_nothing_and_redoes_nothing_visibly(
    world: Any, processes: Processes
) -> None:
    total = 500

    async def produce() -> None:
        for number in range(0, total, 50):
            await world.send(*[world.message("k", number + offset) for offset in range(50)])
            await asyncio.sleep(0.7)

    producing = asyncio.create_task(produce())
    old = await processes.start()
    for _ in range(6):
        await asyncio.sleep(1.0)
        new = await processes.start()
        old.send_signal(signal.SIGTERM)
        # Minus SIGTERM: the signal came while the interpreter was still importing, nothing had begun.
        assert await asyncio.wait_for(old.wait(), 90) in {0, -signal.SIGTERM}
        old = new
    await producing
    await until(lambda: all_ended(world, total), seconds=120)
    await each_once(world, total)
    numbers = [row["n"] for row in await world.database["ended"].find().to_list()]
    assert numbers == sorted(numbers), "the order of the subject held through every change of hands"
