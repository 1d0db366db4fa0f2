"""The relay: order per key whatever fails, rows removed only after acknowledgement, one relay at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from navette_chassis import relay as relay_module
from navette_chassis import uuid7
from navette_chassis.backoff import Backoff
from navette_chassis.lease import Lease
from navette_chassis.producer import PublishError
from navette_chassis.relay import Relay
from navette_chassis.testing import until


class FakeBroker:
    """Remembers what it acknowledged; refuses or holds back what a test says."""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[str, bytes]] = []
        self.attempts: Counter[str] = Counter()
        self.tried_at: list[float] = []
        self.refuse: set[str] = set()
        self.hold: dict[str, asyncio.Event] = {}

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        assert key is not None
        assert value is not None
        name = key.decode()
        self.attempts[name] += 1
        self.tried_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if name in self.hold:
            await self.hold[name].wait()
        if name in self.refuse:
            raise PublishError("refused")
        self.acknowledged.append((name, value))

    def of(self, key: str) -> list[int]:
        return [int(value) for name, value in self.acknowledged if name == key]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_RETRY", Backoff(first=0.05, cap=0.2))


async def commit(world: Any, *rows: tuple[str, int]) -> None:
    """Write outbox rows as a transaction would have."""
    await world.database["outbox"].insert_many(
        [
            {
                "_id": uuid7(),
                "topic": "t",
                "key": key,
                "headers": [],
                "value": str(number).encode(),
                "created_at": datetime.now(UTC),
            }
            for key, number in rows
        ]
    )


@asynccontextmanager
async def relaying(
    world: Any, broker: FakeBroker, *, holder: str = "one", ttl: float = 1.0
) -> AsyncIterator[tuple[Relay, Lease]]:
    lease = Lease(world.database, "relay", holder=holder, ttl_seconds=ttl)
    relay = Relay(world.database, broker, lease, poll_seconds=0.05)
    stop, release = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(lease.keep(release, relay.lease_lost)),
        asyncio.create_task(relay.run(stop)),
    ]
    try:
        yield relay, lease
    finally:
        stop.set()
        await tasks[1]
        release.set()
        await tasks[0]


async def is_empty(world: Any) -> bool:
    return bool(await world.database["outbox"].count_documents({}) == 0)


async def test_rows_leave_in_the_order_of_their_key_and_are_removed_once_acknowledged(world: Any) -> None:
    broker = FakeBroker()
    await commit(world, *[(key, number) for number in range(50) for key in "abc"])
    async with relaying(world, broker):
        await until(lambda: is_empty(world))
    assert all(broker.of(key) == list(range(50)) for key in "abc")


async def test_a_key_that_cannot_leave_keeps_its_order_and_holds_up_no_other(world: Any) -> None:
    broker = FakeBroker()
    broker.refuse = {"bad"}
    await commit(world, ("bad", 1), ("good", 1), ("bad", 2), ("good", 2))
    async with relaying(world, broker):
        await until(lambda: broker.of("good") == [1, 2] and broker.attempts["bad"] >= 3)
        await commit(world, ("bad", 3), ("good", 3))
        await until(lambda: broker.of("good") == [1, 2, 3])
        assert broker.of("bad") == []
        broker.refuse = set()
        await until(lambda: is_empty(world))
    assert broker.of("bad") == [1, 2, 3]


async def test_a_failing_key_is_retried_with_growing_delays_and_not_in_a_loop(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_RETRY", Backoff(first=0.4, cap=5.0))
    broker = FakeBroker()
    broker.refuse = {"bad"}
    await commit(world, ("bad", 1))
    async with relaying(world, broker):
        await until(lambda: len(broker.tried_at) >= 4)
    first, second, third = (later - earlier for earlier, later in pairwise(broker.tried_at[:4]))
    assert (first >= 0.2, second >= 0.4, third >= 0.8) == (True, True, True), "at least half of 0.4, 0.8, 1.6 s"


async def test_a_row_stays_until_the_broker_acknowledges_it(world: Any) -> None:
    broker = FakeBroker()
    broker.hold["a"] = asyncio.Event()
    await commit(world, ("a", 1), ("a", 2))
    async with relaying(world, broker) as (relay, _):
        await until(lambda: broker.attempts["a"] == 1)
        assert await relay.oldest_unpublished() is not None
        assert await world.database["outbox"].count_documents({}) == 2
        broker.hold["a"].set()
        await until(lambda: is_empty(world))
        assert await relay.oldest_unpublished() is None
    assert broker.attempts["a"] == 2


async def test_a_commit_wakes_the_relay_long_before_it_polls(world: Any) -> None:
    broker = FakeBroker()
    async with relaying(world, broker) as (relay, lease):
        await until(lambda: lease.held)
        relay._poll_seconds = 60.0
        await commit(world, ("a", 1))
        relay.nudge()
        await until(lambda: broker.of("a") == [1], seconds=30.0)
        relay._poll_seconds = 0.05


async def test_more_blocked_keys_than_one_look_takes_do_not_hide_the_others(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH", 10)
    broker = FakeBroker()
    broker.refuse = {f"bad{number}" for number in range(8)}
    await commit(world, *[(f"bad{number % 8}", number) for number in range(40)], ("good", 1))
    async with relaying(world, broker):
        await until(lambda: broker.of("good") == [1])


async def test_of_two_relays_one_is_active_and_the_other_takes_over_when_it_stops(world: Any) -> None:
    first, second = FakeBroker(), FakeBroker()
    async with relaying(world, second, holder="two", ttl=30.0) as (_, standby):
        await until(lambda: standby.held)
        async with relaying(world, first, holder="one", ttl=30.0) as (_, candidate):
            await commit(world, *[("a", number) for number in range(20)])
            await until(lambda: is_empty(world))
            assert not candidate.held
    assert (first.of("a"), second.of("a")) == ([], list(range(20)))


async def test_a_stopped_relay_hands_its_lease_over_at_once(world: Any) -> None:
    first, second = FakeBroker(), FakeBroker()
    async with relaying(world, first, ttl=300.0) as (_, lease):
        await until(lambda: lease.held)
    async with relaying(world, second, holder="two", ttl=300.0) as (_, successor):
        await until(lambda: successor.held)
        assert successor.fence == 2


async def test_a_relay_that_loses_its_lease_in_mid_batch_publishes_nothing_more(world: Any) -> None:
    """The frozen holder wakes up after another took over: what it had read is no longer its to send."""
    frozen, active = FakeBroker(), FakeBroker()
    frozen.hold["a"] = asyncio.Event()
    await commit(world, *[("a", number) for number in range(10)])
    async with relaying(world, frozen, holder="frozen") as (stale, lease):
        await until(lambda: frozen.attempts["a"] == 1)
        lease._leases = NoDatabase()  # type: ignore[assignment]  # its renewals stop, as in a frozen process
        async with relaying(world, active, holder="active") as (_, successor):
            await until(lambda: successor.held)
            assert not lease.held
            frozen.hold["a"].set()
            await until(lambda: is_empty(world))
            await until(lambda: not stale._lanes)
            lease._leases = world.database["leases"]
        assert frozen.attempts["a"] == 1
    assert active.of("a") == list(range(10))


class NoDatabase:
    """Never answers."""

    async def find_one(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(3600)

    update_one = find_one_and_update = insert_one = find_one


async def test_a_stop_sends_what_was_committed_before_it(world: Any) -> None:
    broker = FakeBroker()
    async with relaying(world, broker) as (relay, lease):
        await until(lambda: lease.held)
        relay._poll_seconds = 60.0
        await asyncio.sleep(0.1)
        await commit(world, *[("a", number) for number in range(5)])
    assert broker.of("a") == [0, 1, 2, 3, 4]
    assert await is_empty(world)
