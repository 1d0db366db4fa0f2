"""Death of the process between the remote's acceptance and our note of it: real process, real SIGKILL."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from typing import Any

from navette_chassis.deliveries import Outcome

WORKER = """
import asyncio, os, random, signal, sys
from navette_chassis import Service, ServiceSettings
from navette_chassis.deliveries import Channel, Outcome
from navette_chassis.deliveries.dispatcher import Dispatcher
from navette_chassis.deliveries.store import DeliveryStore
from navette_chassis.orphans import SessionLedger
from navette_chassis.steps import Step, observe
from navette_chassis.transactions import Transactions
from pymongo import AsyncMongoClient

uri, name, when = sys.argv[1:]

class Host:
    pass

async def main():
    client = AsyncMongoClient(uri, tz_aware=True)
    host = Host()
    host.settings = ServiceSettings(environment="development", kafka_bootstrap="none:1", mongo_uri=uri,
        psc_auth_url="http://127.0.0.1:1", delivery_poll_seconds=0.05, delivery_lease_seconds=0.5)
    service = Service(host.settings, name="crash")
    host.clock, host.database = service.clock, client[name]

    async def attempt(delivery):
        accepted = client[name]["remote"]
        if delivery.must_query and await accepted.find_one({"key": delivery.key}):
            return Outcome.delivered("found")
        await accepted.insert_one({"key": delivery.key, "attempt": delivery.attempt})
        return Outcome.delivered("sent")

    async def settle(delivery, outcome, uow):
        await uow.collection("settled").insert_one({"key": delivery.key, "code": outcome.code})

    service.deliver(Channel("dmp.publish", "dmp"), attempt=attempt, settle=settle)
    host.delivery_handlers = service.delivery_handlers
    store = DeliveryStore(host)
    dispatcher = Dispatcher(host, store)
    sessions = SessionLedger(host.database, host.clock)
    await sessions.reap()
    host.transactions = Transactions(client=client, database=host.database, clock=host.clock, source="/navette/crash",
        deliveries=store, sessions=sessions, on_promises=lambda: None, on_scheduled=dispatcher.nudge)
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)
    if when == "after_attempt":
        observe(lambda step: die() if step is Step.AFTER_ATTEMPT else None)
    elif when == "before_commit":
        observe(lambda step: die() if step is Step.BEFORE_COMMIT else None)
    elif when == "random":
        asyncio.get_running_loop().call_later(random.uniform(0.05, 0.6), die)
    await dispatcher.run(asyncio.Event())

asyncio.run(main())
"""


async def start_worker(office: Any, when: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, office.uri, office.name, when)


async def finish(office: Any, keys: list[str]) -> None:
    worker = await start_worker(office, "never")
    try:
        for key in keys:
            await office.reaches(key, "delivered", seconds=90)
    finally:
        worker.kill()
        await worker.wait()


async def accepted(office: Any) -> list[str]:
    return sorted([row["key"] async for row in office.database["remote"].find({})])


async def test_killed_after_the_remote_accepted_the_next_attempt_asks_and_nothing_doubles(office):
    await office.schedule("k1")
    worker = await start_worker(office, "after_attempt")
    assert await worker.wait() == -signal.SIGKILL
    assert await accepted(office) == ["k1"]
    assert (await office.row("k1"))["state"] == "in_progress"

    await finish(office, ["k1"])
    row = await office.row("k1")
    assert [entry["code"] for entry in row["attempts"]] == ["lease_expired", "found"]
    assert await accepted(office) == ["k1"]
    assert await office.database["settled"].count_documents({}) == 1


async def test_killed_before_the_end_was_committed_nothing_of_it_is_written_and_nothing_doubles(office):
    await office.schedule("k1")
    worker = await start_worker(office, "before_commit")
    assert await worker.wait() == -signal.SIGKILL
    assert await office.database["settled"].count_documents({}) == 0
    assert await office.database["deliveries_done"].count_documents({}) == 0

    await finish(office, ["k1"])
    assert await accepted(office) == ["k1"]
    assert await office.database["settled"].count_documents({}) == 1


async def test_killed_at_random_moments_nothing_is_lost_and_nothing_doubles(office):
    keys = [f"k{number}" for number in range(60)]
    for start in range(0, 60, 3):
        await office.schedule(*keys[start : start + 3], group=f"g{start}")
    random.seed(2026)
    for _ in range(5):
        worker = await start_worker(office, "random")
        assert await worker.wait() == -signal.SIGKILL
    await finish(office, keys)
    assert await accepted(office) == sorted(keys)
    assert await office.database["settled"].count_documents({}) == 60


async def test_an_unanswered_question_is_no_answer(office):
    """The remote accepted, the answer was lost, and the question afterwards fails too: still asked, never resent."""
    office.remote.script = [Outcome.ambiguous("answer_lost"), Outcome.transient("http_503"), Outcome.delivered("found")]
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "delivered")
    assert [delivery.must_query for delivery in office.remote.seen] == [False, True, True]
    assert row["code"] == "found"
