"""Many callers, one transaction: each gets its own answer, none waits for a clock, a failure is told to all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from navette_chassis.group_commit import GroupCommit


class Store:
    """Writes when it is let, and remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.writing = asyncio.Event()
        self.failure: Exception | None = None

    async def write(self, items: Sequence[int]) -> list[str]:
        self.groups.append(list(items))
        self.writing.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [f"stored {item}" for item in items]


async def gathered(store: Store, items: Sequence[int], *, max_items: int = 100, max_bytes: int = 1000) -> list[object]:
    group: GroupCommit[int, str] = GroupCommit(store.write, max_items=max_items, max_bytes=max_bytes)
    async with group.running():
        waiting = [asyncio.create_task(group.add(item, item)) for item in items]
        await store.writing.wait()
        store.gate.set()
        return list(await asyncio.gather(*waiting, return_exceptions=True))


async def test_what_arrives_during_a_write_is_written_together_and_each_is_answered() -> None:
    store = Store()
    group: GroupCommit[int, str] = GroupCommit(store.write, max_items=100, max_bytes=1000)
    async with group.running():
        first = asyncio.create_task(group.add(1, 1))
        await store.writing.wait()
        others = [asyncio.create_task(group.add(item, 1)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        assert not first.done()
        store.gate.set()
        assert [await one for one in (first, *others)] == ["stored 1", "stored 2", "stored 3", "stored 4"]
    assert store.groups == [[1], [2, 3, 4]]


async def test_a_group_holds_no_more_than_its_limits_and_a_giant_goes_alone() -> None:
    by_number = Store()
    await gathered(by_number, [1] * 5, max_items=2)
    assert [len(group) for group in by_number.groups] == [2, 2, 1]
    by_size = Store()
    await gathered(by_size, [40, 70, 30, 500, 1], max_bytes=100)
    assert by_size.groups == [[40], [70, 30], [500], [1]]


async def test_a_failure_is_told_to_each_caller_of_the_group_and_the_next_group_goes_on() -> None:
    store = Store()
    store.failure = OSError("away")
    group: GroupCommit[int, str] = GroupCommit(store.write, max_items=10, max_bytes=1000)
    store.gate.set()
    async with group.running():
        told = await asyncio.gather(group.add(1, 1), group.add(2, 1), return_exceptions=True)
        assert [type(one) for one in told] == [OSError, OSError]
        store.failure = None
        assert await group.add(3, 1) == "stored 3"


async def test_a_caller_that_left_is_passed_over() -> None:
    store = Store()
    group: GroupCommit[int, str] = GroupCommit(store.write, max_items=10, max_bytes=1000)
    async with group.running():
        first = asyncio.create_task(group.add(1, 1))
        await store.writing.wait()
        left, stays = asyncio.create_task(group.add(2, 1)), asyncio.create_task(group.add(3, 1))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        store.gate.set()
        assert await stays == "stored 3"
        assert await first == "stored 1"
    assert store.groups == [[1], [3]]


async def test_at_the_end_nobody_is_told_that_something_is_durable() -> None:
    store = Store()
    group: GroupCommit[int, str] = GroupCommit(store.write, max_items=1, max_bytes=1000)
    async with group.running():
        waiting = [asyncio.create_task(group.add(item, 1)) for item in (1, 2)]
        await store.writing.wait()
    for one in waiting:
        with pytest.raises(asyncio.CancelledError):
            await one
