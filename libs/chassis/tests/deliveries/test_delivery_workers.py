"""Several workers on the same deliveries: never two on one, order within a group, rate across all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from navette_chassis.deliveries import Channel, DeliveryState, Outcome, RetryPolicy
from navette_chassis.deliveries.endpoints import Endpoints
from navette_chassis.deliveries.store import LeaseLostError
from navette_chassis.testing import until


async def test_two_dispatchers_never_run_the_same_delivery(office):
    office.remote.seconds = 0.01
    await office.schedule(*(f"k{number}" for number in range(60)))
    async with office.at_work(workers=3):
        await until(lambda: len(office.remote.accepted) == 60)
    assert set(office.remote.accepted.values()) == {1}
    assert len(office.remote.seen) == 60


async def test_one_of_a_group_is_in_flight_and_the_oldest_goes_first_across_channels(office):
    retry = office.channels[0].retry
    office.channels = [Channel("dmp.publish", "dmp", retry=retry), Channel("dmp.withdraw", "dmp", retry=retry)]
    office.remote.seconds = 0.02
    office.remote.script = [Outcome.transient("http_503"), Outcome.transient("http_503")]
    for group in ("a", "b"):
        await office.schedule(f"{group}1", f"{group}2", group=group)
        await office.schedule(f"{group}3", group=group, channel="dmp.withdraw")
        await office.schedule(f"{group}4", group=group)
    async with office.at_work(workers=2):
        await until(lambda: len(office.remote.accepted) == 8)
    assert office.remote.overlaps == []
    ended = [delivery.key for delivery in office.remote.seen if delivery.key in office.remote.accepted]
    for group in ("a", "b"):
        order = list(dict.fromkeys(key for key in ended if key.startswith(group)))
        assert order == [f"{group}{number}" for number in (1, 2, 3, 4)]


async def test_groups_filled_and_emptied_at_the_same_time_leave_nobody_waiting(office):
    async def fill(number):
        for step in range(10):
            await office.schedule(f"{number}-{step}", group=f"g{step % 2}")

    async with office.at_work(workers=2):
        await asyncio.gather(*(fill(number) for number in range(4)))
        await until(lambda: len(office.remote.accepted) == 40)
    assert office.remote.overlaps == []
    assert set(office.remote.accepted.values()) == {1}


async def test_no_more_run_at_once_than_the_channel_allows(office):
    office.channels = [Channel("dmp.publish", "dmp", max_in_flight=3)]
    office.remote.gate = asyncio.Event()
    await office.schedule(*(f"k{number}" for number in range(12)))
    async with office.at_work():
        await until(lambda: office.remote.busy.total() == 3)
        office.remote.gate.set()
        await until(lambda: len(office.remote.accepted) == 12)
    assert office.remote.most_at_once == 3


async def test_the_rate_of_an_endpoint_holds_across_workers(office):
    office.channels = [Channel("dmp.publish", "dmp", max_in_flight=10, rate_per_second=20)]
    await office.schedule(*(f"k{number}" for number in range(21)))
    began = asyncio.get_running_loop().time()
    async with office.at_work(workers=2):
        await until(lambda: len(office.remote.accepted) == 21)
    assert max(office.remote.started_at) - began >= 20 / 20 * 0.95, "21 calls at 20/s span a second"


async def test_two_workers_are_given_different_moments_at_the_distance_of_the_rate(office, noon):
    channel = Channel("dmp.publish", "dmp", rate_per_second=20)
    both = [Endpoints(office.host()), Endpoints(office.host())]
    await both[0].ensure("dmp")
    slots = sorted(await asyncio.gather(*(both[number % 2].slot(channel, noon.now()) for number in range(10))))
    assert slots[0] == noon.now()
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(milliseconds=50)}
    much_later = noon.now() + timedelta(hours=1)
    assert await both[0].slot(channel, much_later) == much_later, "unused moments do not add up to a burst"


async def test_a_worker_whose_lease_was_taken_over_can_write_nothing(office):
    await office.schedule("k1")
    _, store, _ = office.worker()
    [row] = await store.due("dmp.publish", office.clock.now(), 10)
    stale = await store.claim(row, office.clock.now(), lease_seconds=-1)
    [expired] = await store.due("dmp.publish", office.clock.now(), 10)
    owner = await store.claim(expired, office.clock.now(), lease_seconds=90)
    assert owner.must_query, "what the first worker did is not known"
    assert await store.claim(expired, office.clock.now(), lease_seconds=90) is None

    assert not await store.renew(stale, office.clock.now(), 60)
    with pytest.raises(LeaseLostError):
        await store.later(stale, DeliveryState.RETRY_SCHEDULED, office.clock.now(), entry={}, must_query=False)
    with pytest.raises(LeaseLostError):
        await office.transact(lambda uow: store.end(uow, stale, DeliveryState.DELIVERED, Outcome.delivered(), None))
    row = await office.row("k1")
    assert (row["state"], row["lease"]["token"]) == ("in_progress", owner.token)
    assert [entry["code"] for entry in row["attempts"]] == ["lease_expired"]


async def test_a_lease_is_renewed_as_long_as_the_attempt_lasts(office):
    office.remote.gate = asyncio.Event()
    await office.schedule("k1")
    async with office.at_work(workers=2, delivery_lease_seconds=6.0):
        await office.reaches("k1", "in_progress")
        first = await office.row("k1")
        await until(lambda: _renewed(office, first["rev"] + 4))
        office.remote.gate.set()
        await office.reaches("k1", "delivered")
    assert len(office.remote.seen) == 1


async def _renewed(office, rev):
    return (await office.row("k1"))["rev"] >= rev


async def test_an_attempt_whose_lease_is_taken_is_cut_and_changes_nothing(office):
    office.remote.gate = asyncio.Event()
    await office.schedule("k1")
    async with office.at_work(delivery_lease_seconds=0.3):
        await office.reaches("k1", "in_progress")
        taken = {"lease": {"token": "another worker"}, "due": office.clock.now().replace(year=2100)}
        await office.database["deliveries"].update_one({"key": "k1"}, {"$set": taken})
        await until(lambda: office.remote.busy.total() == 0)
    row = await office.row("k1")
    assert (row["state"], row["lease"]["token"]) == ("in_progress", "another worker")


async def test_a_graceful_stop_lets_the_attempt_finish(office):
    office.remote.gate = asyncio.Event()
    await office.schedule("k1", "k2", group="one")
    async with office.at_work():
        await office.reaches("k1", "in_progress")
        asyncio.get_running_loop().call_later(0.3, office.remote.gate.set)  # the stop comes first
    assert (await office.row("k1"))["state"] == "delivered"
    assert (await office.row("k2"))["state"] == "scheduled", "nothing new is taken"


async def test_a_stop_that_cannot_wait_gives_the_work_back_as_uncertain(office):
    office.remote.gate = asyncio.Event()
    await office.schedule("k1")
    dispatcher, _, _ = office.worker()
    task = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await office.reaches("k1", "in_progress")
    task.cancel()
    await asyncio.wait({task})
    row = await office.row("k1")
    assert (row["state"], row["must_query"]) == ("unknown", True)
    assert "lease" not in row
    office.remote.gate.set()
    async with office.at_work():
        await office.reaches("k1", "delivered")
    assert office.remote.seen[-1].must_query


async def test_the_database_gone_for_a_while_needs_no_hand(office, mongo_server):
    office.channels = [Channel("dmp.publish", "dmp", retry=RetryPolicy())]
    office.remote.gate = asyncio.Event()
    await office.schedule("k1", "k2", group="one")
    async with office.at_work():
        await office.reaches("k1", "in_progress")
        await asyncio.to_thread(mongo_server.kill)
        office.remote.gate.set()
        await until(lambda: office.remote.accepted["k1"] == 1)
        await asyncio.to_thread(mongo_server.start)
        await office.reaches("k2", "delivered", seconds=90)
    assert office.remote.accepted == {"k1": 1, "k2": 1}


async def test_the_heartbeat_beats_while_work_is_slow_and_stops_with_the_dispatcher(office):
    office.channels = [Channel("dmp.publish", "dmp", max_in_flight=1)]
    office.remote.gate = asyncio.Event()
    await office.schedule("k1")
    async with office.at_work() as [dispatcher]:
        await office.reaches("k1", "in_progress")
        await until(lambda: dispatcher.alive)
        before = [loop.last_pass_at for loop in dispatcher._loops]
        await until(lambda: all(loop.last_pass_at > was for loop, was in zip(dispatcher._loops, before, strict=True)))
        office.remote.gate.set()
    dispatcher._loops[0].last_pass_at -= 60
    assert not dispatcher.alive
