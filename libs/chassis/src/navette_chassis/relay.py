"""The relay: takes the rows of the outbox to the broker, in order per key, and removes what was acknowledged.

One relay per service is active, under a lease. Polling is the truth; a commit in the same process wakes it
early. Each key has a lane: its next event leaves when its previous one is acknowledged, so a failure blocks
its own key and no other. A crash between acknowledgement and removal publishes again: consumers know the id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from navette_chassis.backoff import Backoff
from navette_chassis.lease import Lease
from navette_chassis.outbox import OUTBOX
from navette_chassis.producer import PublishError
from navette_chassis.steps import Step, reached
from navette_chassis.telemetry import metrics
from navette_chassis.telemetry.recurrence import Recurrence

log = structlog.get_logger("navette.relay")

Row = Mapping[str, Any]

#: Rows read at once, and at most in flight.
BATCH = 500
#: Keys that may be blocked before no further rows are read: then the broker is the problem, not a key.
BLOCKED_KEYS = 100

_RETRY = Backoff(first=0.2, cap=5.0)


class Publisher(Protocol):
    """Where the events go (``navette_chassis.producer``)."""

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """Return when the broker acknowledged; raise ``PublishError`` otherwise."""
        ...


class Relay:
    """Carries the outbox of one service while this process holds the lease."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        publisher: Publisher,
        lease: Lease,
        *,
        poll_seconds: float,
    ) -> None:
        self._outbox = database[OUTBOX]
        self._publisher = publisher
        self._lease = lease
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._blocked: set[str] = set()
        self._failures: dict[str, int] = {}
        self._acknowledged: set[str] = set()
        self._recurrence = Recurrence()
        self._look = True
        self._looked_past_lanes = False
        self.last_pass_at: float | None = None
        """Loop time of the last complete look at the outbox (or at the lease): the relay's heartbeat."""

    def nudge(self) -> None:
        """Look at the outbox now: something was just committed."""
        self._look = True
        self._wake.set()

    def lease_lost(self) -> None:
        """Publish nothing more: another process may hold the lease now."""
        for lane in self._lanes.values():
            lane.cancel()

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry until told to stop, then finish what is in flight."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._wake.clear()
                try:
                    more = await self._pass() if self._lease.held else False
                    self.last_pass_at = asyncio.get_running_loop().time()
                except PyMongoError:
                    log.debug("relay_database_unreachable")
                    more = False
                    self._look = True
                if not more:
                    await self._rest(stop)
            await self._finish()
        finally:
            stop.cancel()
            self.lease_lost()

    async def oldest_unpublished(self) -> datetime | None:
        """When the oldest event still waiting was promised; None when nothing waits."""
        row = await self._outbox.find_one({}, sort=[("_id", 1)], projection={"created_at": True})
        return row["created_at"] if row is not None else None

    async def unpublished(self) -> int:
        """How many events wait, as the collection itself counts: no row is read."""
        return await self._outbox.estimated_document_count()

    async def _rest(self, stop: asyncio.Task[Any]) -> None:
        wake = asyncio.create_task(self._wake.wait())
        waits: set[asyncio.Future[Any]] = {wake, stop}
        if not self._lease.held:
            waits.add(asyncio.create_task(self._lease.acquired.wait()))
        try:
            done, _ = await asyncio.wait(waits, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED)
            self._look = self._look or wake not in done
        finally:
            for task in waits - {stop}:
                task.cancel()

    async def _pass(self) -> bool:
        """Remove what was acknowledged, then open lanes for new rows; True when there may be more of them."""
        await self._remove()
        if not self._look:
            return False
        if len(self._lanes) >= BATCH or len(self._blocked) >= BLOCKED_KEYS:
            self._looked_past_lanes = True
            return False
        self._look = False
        self._looked_past_lanes = bool(self._lanes)
        query = {"key": {"$nin": list(self._lanes)}} if self._lanes else {}
        rows = await self._outbox.find(query).sort("_id", 1).limit(BATCH).to_list()
        by_key: dict[str, list[Row]] = {}
        for row in rows:
            if row["_id"] not in self._acknowledged and row["key"] not in self._lanes:
                by_key.setdefault(row["key"], []).append(row)
        for key, lane_rows in by_key.items():
            self._open_lane(key, lane_rows)
        self._look = self._look or len(rows) == BATCH
        return self._look

    def _open_lane(self, key: str, rows: list[Row]) -> None:
        task = asyncio.create_task(self._carry(key, rows))
        self._lanes[key] = task
        task.add_done_callback(lambda _: self._close_lane(key))

    def _close_lane(self, key: str) -> None:
        self._lanes.pop(key, None)
        self._blocked.discard(key)
        # Rows of this key committed meanwhile were left out of the last look.
        self._look = self._look or self._looked_past_lanes
        self._wake.set()

    async def _carry(self, key: str, rows: Sequence[Row]) -> None:
        """Publish the rows of one key one after the other, as long as the lease is held."""
        for row in rows:
            if not self._lease.held:
                return
            try:
                await self._publish(row)
            except Exception as error:  # noqa: BLE001 - a row that cannot leave blocks its key, never the relay
                await self._block(key, row, error)
                return
            self._failures.pop(key, None)
            metrics().count("navette_outbox_published", topic=row["topic"])
            reached(Step.AFTER_PUBLISH)
            self._acknowledged.add(row["_id"])
            self._wake.set()

    async def _publish(self, row: Row) -> None:
        headers = [(name, bytes(content)) for name, content in row["headers"]]
        await self._publisher.publish(row["topic"], row["key"].encode(), row["value"], headers)

    async def _block(self, key: str, row: Row, error: Exception) -> None:
        """Keep the lane open, and so its key blocked, for the length of the delay."""
        code = error.code if isinstance(error, PublishError) else type(error).__name__
        self._failures[key] = self._failures.get(key, 0) + 1
        self._blocked.add(key)
        self._looked_past_lanes = True
        repeated = self._recurrence.note((row["topic"], code))
        if repeated is not None:
            log.warning("event_not_published", topic=row["topic"], event_id=row["_id"], code=code, repeated=repeated)
        await asyncio.sleep(_RETRY.delay(self._failures[key]))

    async def _remove(self) -> None:
        """Remove acknowledged rows; safe whoever holds the lease, since they are on the broker."""
        if not self._acknowledged:
            return
        removed = list(self._acknowledged)
        await self._outbox.delete_many({"_id": {"$in": removed}})
        self._acknowledged.difference_update(removed)

    async def _finish(self) -> None:
        """Last pass of an ordered stop: what is committed leaves now if the broker takes it."""
        self._look = True
        with contextlib.suppress(PyMongoError):
            while self._lease.held and not self._blocked:
                await self._pass()
                if not self._lanes:
                    break
                await asyncio.wait(list(self._lanes.values()), return_when=asyncio.FIRST_COMPLETED)
            await self._remove()
