"""A lease has one holder at a time, by nobody's wall clock."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from navette_chassis.lease import Lease
from navette_chassis.testing import until


def lease(world: Any, holder: str, ttl: float = 0.6) -> Lease:
    return Lease(world.database, "job", holder=holder, ttl_seconds=ttl)


class Keeper:
    """Keeps a lease in the background."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.lost = 0
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(lease.keep(self._stop, self._on_lost))

    def _on_lost(self) -> None:
        self.lost += 1

    async def die(self) -> None:
        """As a killed process: no release."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def stop(self) -> None:
        self._stop.set()
        await self._task


async def test_a_crashed_holder_is_replaced_after_the_time_to_live_and_the_fence_grows(world: Any) -> None:
    one, two = Keeper(lease(world, "one")), Keeper(lease(world, "two"))
    await until(lambda: one.lease.held or two.lease.held)
    holder, other = (one, two) if one.lease.held else (two, one)
    await holder.die()
    fence, believed_until = holder.lease.fence, holder.lease._valid_until
    await until(lambda: other.lease.held)
    assert time.monotonic() >= believed_until, "nobody takes over while the dead might still believe"
    assert other.lease.fence == fence + 1
    await other.stop()


async def test_two_candidates_never_hold_it_together(world: Any) -> None:
    keepers = [Keeper(lease(world, f"k{number}")) for number in range(4)]
    for _ in range(100):
        await asyncio.sleep(0.01)
        assert sum(keeper.lease.held for keeper in keepers) <= 1
    await until(lambda: any(keeper.lease.held for keeper in keepers))
    for keeper in keepers:
        await keeper.stop()


async def test_a_holder_that_cannot_renew_stops_believing_before_another_may_take_over(world: Any) -> None:
    keeper = Keeper(lease(world, "one"))
    await until(lambda: keeper.lease.held)
    keeper.lease._leases = NoDatabase()  # type: ignore[assignment]  # its renewals get no answer
    successor = Keeper(lease(world, "two"))
    while not successor.lease.held:
        still_believing = keeper.lease.held
        await asyncio.sleep(0.01)
    assert not still_believing
    await until(lambda: keeper.lost == 1)
    await keeper.die()
    await successor.stop()


class NoDatabase:
    """Never answers."""

    async def find_one(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(3600)

    update_one = find_one_and_update = insert_one = find_one


async def test_a_holder_that_was_away_but_not_replaced_goes_on_with_the_same_fence(world: Any) -> None:
    keeper = Keeper(lease(world, "one"))
    await until(lambda: keeper.lease.held)
    fence = keeper.lease.fence
    keeper.lease._valid_until = 0.0
    await until(lambda: keeper.lease.held)
    assert keeper.lease.fence == fence
    await keeper.stop()
