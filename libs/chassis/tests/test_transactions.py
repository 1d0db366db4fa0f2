"""Transactions: retried when the database says so, aborted otherwise, never left behind by the dead."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from typing import Any

import navette_chassis
import pytest
from navette_chassis import SystemClock, uuid7
from navette_chassis.backoff import Backoff, wait_or_stop
from navette_chassis.database import ensure_indexes, in_transaction
from navette_chassis.index import Index
from navette_chassis.origin import Origin, current_origin, originating_from
from navette_chassis.orphans import SESSIONS, SessionLedger
from navette_chassis.testing import until
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError


class FakeSession:
    """Counts what the runner does with it; commits fail as a test says."""

    def __init__(self, client: FakeClient) -> None:
        self._client = client
        self.in_transaction = True

    async def __aenter__(self) -> FakeSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def start_transaction(self, **_: Any) -> None:
        self._client.log.append("start")

    async def abort_transaction(self) -> None:
        self._client.log.append("abort")

    async def commit_transaction(self) -> None:
        self._client.log.append("commit")
        if self._client.failures:
            raise self._client.failures.pop(0)


class FakeClient:
    """Makes sessions."""

    def __init__(self, *failures: PyMongoError) -> None:
        self.failures = list(failures)
        self.log: list[str] = []

    def start_session(self) -> FakeSession:
        return FakeSession(self)


def labelled(label: str) -> PyMongoError:
    return OperationFailure("no", 112, {"errorLabels": [label]})


async def succeed(_: Any) -> str:
    return "done"


async def test_a_commit_of_unknown_outcome_is_sent_again_and_the_work_is_not() -> None:
    client: Any = FakeClient(labelled("UnknownTransactionCommitResult"))
    assert await in_transaction(client, succeed) == "done"
    assert client.log == ["start", "commit", "commit"]


async def test_a_transient_failure_runs_the_whole_transaction_again() -> None:
    client: Any = FakeClient(labelled("TransientTransactionError"))
    assert await in_transaction(client, succeed) == "done"
    assert client.log == ["start", "commit", "start", "commit"]


async def test_a_lasting_conflict_is_told_once_the_time_is_over() -> None:
    client: Any = FakeClient(*[labelled("TransientTransactionError")] * 100)
    with pytest.raises(OperationFailure):
        await in_transaction(client, succeed, retry_seconds=0.2)
    assert 2 <= client.log.count("start") <= 30


async def test_an_error_of_the_work_aborts_and_is_raised_unchanged() -> None:
    async def fail(_: Any) -> None:
        raise LookupError

    client: Any = FakeClient()
    with pytest.raises(LookupError):
        await in_transaction(client, fail)
    assert client.log == ["start", "abort"]


async def test_an_index_that_exists_with_other_options_stops_the_start(world: Any) -> None:
    await ensure_indexes(world.database, [Index("things", (("n", 1),))])
    await ensure_indexes(world.database, [Index("things", (("n", 1),))])
    with pytest.raises(RuntimeError, match="index on things"):
        await ensure_indexes(world.database, [Index("things", (("n", 1),), unique=True)])


async def test_indexes_are_made_as_declared(world: Any) -> None:
    declared = [
        Index("things", (("a", 1), ("b", -1)), unique=True, partial={"a": {"$exists": True}}),
        Index("things", (("at", 1),), ttl=timedelta(days=2)),
    ]
    await ensure_indexes(world.database, declared)
    made = await world.database["things"].index_information()
    assert made["a_1_b_-1"]["unique"] is True
    assert made["a_1_b_-1"]["partialFilterExpression"] == {"a": {"$exists": True}}
    assert made["at_1"]["expireAfterSeconds"] == 2 * 86400


LEAVE_OPEN = """
import asyncio, os, signal, sys
from pymongo import AsyncMongoClient
from navette_chassis import SystemClock
from navette_chassis.orphans import SessionLedger

async def main():
    client = AsyncMongoClient(sys.argv[1])
    database = client[sys.argv[2]]
    async with client.start_session() as session:
        await SessionLedger(database, SystemClock()).note(session)
        await session.start_transaction()
        await database["things"].insert_one({"_id": 1}, session=session)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_process_left_locked_is_free_once_its_successor_starts(world: Any) -> None:
    await world.database["things"].insert_one({"_id": 0})
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", LEAVE_OPEN, world.mongo.uri, world.database_name)
    assert await dead.wait() == -9
    async with AsyncMongoClient[dict[str, Any]](world.mongo.uri, tz_aware=True) as client:

        async def insert(session: Any) -> None:
            await client[world.database_name]["things"].insert_one({"_id": 1}, session=session)

        with pytest.raises(PyMongoError):
            await in_transaction(client, insert, retry_seconds=0.2)
        await SessionLedger(client[world.database_name], SystemClock()).reap()
        await in_transaction(client, insert)
    assert await world.database[SESSIONS].count_documents({}) == 0


async def test_the_sessions_of_a_living_process_and_of_another_host_are_left_alone(world: Any) -> None:
    rows = [
        {"_id": 1, "host": os.uname().nodename, "pid": os.getppid()},
        {"_id": 2, "host": "another-host", "pid": 999_999_999},
    ]
    await world.database[SESSIONS].insert_many(rows)
    await SessionLedger(world.database, SystemClock()).reap()
    assert await world.database[SESSIONS].count_documents({}) == 2


def test_ids_are_version_7_and_strictly_increase() -> None:
    ids = [uuid7() for _ in range(5000)]
    assert ids == sorted(set(ids))
    assert {one[14] for one in ids} == {"7"}
    assert {one[19] for one in ids} <= set("89ab")


def test_delays_grow_to_their_cap_and_are_spread() -> None:
    backoff = Backoff(first=1.0, cap=8.0)
    for attempt, step in ((1, 1.0), (2, 2.0), (4, 8.0), (50, 8.0), (5000, 8.0)):
        delays = [backoff.delay(attempt) for _ in range(50)]
        assert all(step / 2 <= delay <= step for delay in delays)
        assert len(set(delays)) > 1


async def test_a_wait_ends_early_when_the_stop_comes() -> None:
    stopping = asyncio.Event()
    assert not await wait_or_stop(stopping, 0.01)
    stopping.set()
    assert await wait_or_stop(stopping, 60.0)


def test_the_origin_is_that_of_the_block_and_a_new_one_outside() -> None:
    with originating_from(Origin("c-1", "e-1")):
        assert current_origin() == Origin("c-1", "e-1")
    assert current_origin().correlation_id != "c-1"


async def test_until_says_what_did_not_come_true() -> None:
    with pytest.raises(AssertionError, match="never"):
        await until(lambda: "never" == "true", seconds=0.05)


def test_every_public_name_is_listed_sorted_and_there() -> None:
    assert sorted(navette_chassis.__all__) == navette_chassis.__all__
    for name in navette_chassis.__all__:
        assert getattr(navette_chassis, name) is not None
    with pytest.raises(AttributeError):
        navette_chassis.nothing  # noqa: B018
