"""Works off what is scheduled: one loop per channel, each claiming as much as it may run at once.

A loop reads a window of due rows and claims them one by one by compare-and-set. Polling is the truth; a
commit of the same process wakes the loops early.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from pymongo.errors import PyMongoError

from navette_chassis.backoff import wait_or_stop
from navette_chassis.deliveries.endpoints import Endpoints
from navette_chassis.deliveries.model import DeliveryState
from navette_chassis.deliveries.rows import CANCEL_LANE, Claim, Row
from navette_chassis.deliveries.store import DeliveryStore, Host
from navette_chassis.deliveries.work import Work, Workbench
from navette_chassis.telemetry import redact
from navette_chassis.telemetry.metrics import metrics

if TYPE_CHECKING:
    from navette_chassis.service import DeliveryHandler

log = structlog.get_logger("navette.deliveries")

#: Rows read at once. The read costs as much as there are due rows on the development database, so it is
#: spread over many claims; a row someone else claimed meanwhile costs one refused compare-and-set.
WINDOW = 500
#: How often the gauges are refreshed, seconds.
SAMPLE_SECONDS = 10.0


class Dispatcher:
    """The dispatcher of one process; any number of processes may run one."""

    def __init__(self, host: Host, store: DeliveryStore) -> None:
        self._host = host
        self._store = store
        self._endpoints = Endpoints(host)
        benches = {handler.channel.name: self._bench(handler) for handler in host.delivery_handlers}
        self._loops: list[_Loop] = [_ChannelLoop(host, bench) for bench in benches.values()]
        self._loops.append(_CancelLoop(host, store, benches))
        self._sampled: set[tuple[str, str]] = set()

    def _bench(self, handler: DeliveryHandler) -> Workbench:
        lease = handler.channel.lease_seconds or self._host.settings.delivery_lease_seconds
        return Workbench(self._host, self._store, self._endpoints, handler, lease)

    def nudge(self) -> None:
        """Look now: something was just committed."""
        for loop in self._loops:
            loop.nudge()

    @property
    def alive(self) -> bool:
        """Whether every loop passed lately: the dispatcher's heartbeat."""
        now = asyncio.get_running_loop().time()
        allowed = 5.0 + 4 * self._host.settings.delivery_poll_seconds
        return all(loop.last_pass_at is not None and now - loop.last_pass_at < allowed for loop in self._loops)

    async def run(self, stopping: asyncio.Event) -> None:
        """Dispatch until told to stop, then let what is in flight finish.

        Cancelled while it waits for that, it cuts the attempts and gives their rows back as uncertain.
        """
        await self._ensure_endpoints(stopping)
        tasks = [asyncio.create_task(loop.run(stopping)) for loop in self._loops]
        tasks.append(asyncio.create_task(self._sample(stopping)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            # Cancelled once: a second time would cut the loops' wait for their attempts to be given back.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _ensure_endpoints(self, stopping: asyncio.Event) -> None:
        waiting = {handler.channel.endpoint for handler in self._host.delivery_handlers}
        while waiting and not stopping.is_set():
            try:
                for endpoint in sorted(waiting):
                    await self._endpoints.ensure(endpoint)
                    waiting.discard(endpoint)
            except PyMongoError:
                await wait_or_stop(stopping, self._host.settings.delivery_poll_seconds)

    async def _sample(self, stopping: asyncio.Event) -> None:
        while not await wait_or_stop(stopping, SAMPLE_SECONDS):
            with suppress(PyMongoError):
                await self.sample()

    async def sample(self) -> None:
        """Refresh the gauges: deliveries by state, age of the oldest that is not ended."""
        standing = await self._store.standing()
        now = self._host.clock.now()
        seen: dict[tuple[str, str], int] = {}
        oldest: dict[str, datetime] = {}
        for line in standing:
            channel, state = line["_id"]["channel"], line["_id"]["state"]
            seen[channel, state] = line["number"]
            if not DeliveryState(state).terminal:
                oldest[channel] = min(line["oldest"], oldest.get(channel, line["oldest"]))
        for channel, state in self._sampled | seen.keys():
            metrics().set("navette_deliveries", seen.get((channel, state), 0), channel=channel, state=state)
        for handler in self._host.delivery_handlers:
            name = handler.channel.name
            age = (now - oldest[name]).total_seconds() if name in oldest else 0.0
            metrics().set("navette_delivery_oldest_pending_seconds", max(0.0, age), channel=name)
        self._sampled |= seen.keys()


class _Loop(ABC):
    """Pass after pass over one lane; subclasses say what a pass does."""

    def __init__(self, host: Host, lane: str, store: DeliveryStore, max_in_flight: int) -> None:
        self.wake = asyncio.Event()
        self.last_pass_at: float | None = None
        self._host = host
        self._lane = lane
        self._store = store
        self._max_in_flight = max_in_flight
        self._window: deque[Row] = deque()
        self._more = True
        """Whether the last look may have left due rows behind."""
        self._full = False
        """Whether the last pass ended for want of room."""
        self._in_flight: set[asyncio.Task[None]] = set()
        self._slot_held = False

    def nudge(self) -> None:
        """Look again: something was just scheduled."""
        self._more = True
        self.wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and work until told to stop, then wait for what is in flight."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self.wake.clear()
                try:
                    claimed = await self._pass(stopping)
                except PyMongoError as error:
                    log.debug("delivery.database_unreachable", **redact.describe(error))
                    claimed = False
                self.last_pass_at = asyncio.get_running_loop().time()
                if not claimed:
                    await self._rest(stop)
            if self._in_flight:
                await asyncio.wait(self._in_flight)
        finally:
            stop.cancel()
            for task in self._in_flight:
                task.cancel()
            if self._in_flight:
                await asyncio.wait(set(self._in_flight))

    async def _pass(self, stopping: asyncio.Event) -> bool:
        """Claim one row and start on it; False when there is nothing to do for now."""
        self._full = len(self._in_flight) >= self._max_in_flight
        if self._full:
            return False
        row = await self._next_row()
        if row is None:
            return False
        if not await self._may_start(stopping):
            self._window.appendleft(row)
            return False
        bench = self._bench_of(row)
        claim = await self._store.claim(row, self._host.clock.now(), bench.lease_seconds)
        if claim is not None:
            self._slot_held = False
            self._start(bench, claim)
        return True

    async def _next_row(self) -> Row | None:
        if not self._window and self._more:
            self._more = False  # a nudge during the look counts
            self._window.extend(await self._store.due(self._lane, self._host.clock.now(), WINDOW))
            # A short answer was the whole of it; what becomes due later is told by a nudge or found by the poll.
            self._more = self._more or len(self._window) == WINDOW
        return self._window.popleft() if self._window else None

    @abstractmethod
    async def _may_start(self, stopping: asyncio.Event) -> bool:
        """Whether the row at hand may be claimed now."""

    @abstractmethod
    def _bench_of(self, row: Row) -> Workbench:
        """What works off a row."""

    def _start(self, bench: Workbench, claim: Claim) -> None:
        task = asyncio.create_task(Work(bench, claim).run())
        self._in_flight.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._full:
            self.wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery.worker_failed", channel=self._lane, **redact.describe(error))

    async def _rest(self, stop: asyncio.Task[bool]) -> None:
        wake = asyncio.create_task(self.wake.wait())
        self._more = True
        try:
            await asyncio.wait(
                {wake, stop},
                timeout=self._host.settings.delivery_poll_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            wake.cancel()


class _ChannelLoop(_Loop):
    def __init__(self, host: Host, bench: Workbench) -> None:
        channel = bench.handler.channel
        super().__init__(host, channel.name, bench.store, channel.max_in_flight)
        self._bench = bench

    async def _may_start(self, stopping: asyncio.Event) -> bool:
        channel, endpoints = self._bench.handler.channel, self._bench.endpoints
        if not await endpoints.may_call(channel, self._host.clock.now()):
            return False
        if self._slot_held:
            return True  # a moment was reserved for a row that someone else claimed
        now = self._host.clock.now()
        wait = (await endpoints.slot(channel, now) - now).total_seconds()
        self._slot_held = True
        if wait <= 0:
            return True
        self.last_pass_at = asyncio.get_running_loop().time() + wait  # waiting for the rate is being alive
        return not await wait_or_stop(stopping, wait)

    def _bench_of(self, row: Row) -> Workbench:  # noqa: ARG002 - all rows of the lane are of this channel
        return self._bench


class _CancelLoop(_Loop):
    """Ends what was cancelled, of all channels, whether their endpoints answer or not."""

    def __init__(self, host: Host, store: DeliveryStore, benches: dict[str, Workbench]) -> None:
        super().__init__(host, CANCEL_LANE, store, max_in_flight=4)
        self._benches = benches

    async def _may_start(self, stopping: asyncio.Event) -> bool:
        return not stopping.is_set()

    def _bench_of(self, row: Row) -> Workbench:
        return self._benches[row["channel"]]
