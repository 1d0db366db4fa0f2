"""One transaction for many callers who each wait for their own part to be durable.

While one group is being written, the next one gathers: an idle service answers at once, a busy one writes more at a
time. Nobody waits for a clock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Waiting(Generic[T, R]):
    item: T
    size: int
    answer: asyncio.Future[R]


class GroupCommit(Generic[T, R]):
    """Gathers items and has them written together; each caller gets the answer to its own.

    `write` returns one answer per item, in order, once all of them are durable; what it raises, every caller of the
    group gets: prepare items before, so that one of them cannot fail the others.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, max_items: int, max_bytes: int
    ) -> None:
        self._write = write
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._arrived = asyncio.Event()

    async def add(self, item: T, size: int) -> R:
        """The answer to an item of `size` bytes, once it is durable. Raises what the writing of its group raised."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, size, answer))
        self._arrived.set()
        return await answer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block lasts; what is waiting at its end is cancelled (its sender was not answered)."""
        writing = asyncio.create_task(self._loop())
        try:
            yield
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
            for one in self._waiting:
                one.answer.cancel()

    async def _loop(self) -> None:
        while True:
            await self._arrived.wait()
            group = self._next()
            if not group:
                self._arrived.clear()
                continue
            try:
                answers = await self._write([one.item for one in group])
            except asyncio.CancelledError:
                for one in group:
                    one.answer.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - told to each caller of the group
                for one in group:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            for one, answer in zip(group, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    def _next(self) -> list[_Waiting[T, R]]:
        """The oldest items that fit together; one that is too large for any group goes alone."""
        group: list[_Waiting[T, R]] = []
        size = 0
        while self._waiting and len(group) < self._max_items:
            if group and size + self._waiting[0].size > self._max_bytes:
                break
            one = self._waiting.popleft()
            if one.answer.done():  # its caller left
                continue
            size += one.size
            group.append(one)
        return group
