"""A fenced lease: at most one holder believes it holds it, whatever the clocks of the machines say.

The holder increases ``beat``; a candidate that saw no new beat for a whole TTL of *its own* monotonic clock
takes over, by a write that names the beat it saw. The holder counts its own TTL from before it asked for the
renewal, so that it stops believing before anyone may take over. Each change of holder increases ``fence``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, PyMongoError

from navette_chassis.backoff import wait_or_stop

log = structlog.get_logger("navette.lease")

#: Collection of the leases of a service.
LEASES = "leases"


class Lease:
    """One named lease, as seen by one process."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], name: str, *, holder: str, ttl_seconds: float) -> None:
        self._leases = database[LEASES]
        self._name = name
        self._holder = holder
        self._ttl = ttl_seconds
        self._valid_until = 0.0
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        self.fence = 0
        """Token of the present tenure: grows with every change of holder."""
        self.acquired = asyncio.Event()
        """Set while this process holds the lease."""

    @property
    def held(self) -> bool:
        """Whether this process may act as the holder now: no database is asked."""
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """Seconds this process may still act as the holder if no renewal succeeds."""
        return max(0.0, self._valid_until - _now())

    async def keep(self, stopping: asyncio.Event, on_lost: Callable[[], None]) -> None:
        """Acquire, renew and acquire again until told to stop; then release."""
        while not stopping.is_set():
            was_held = self.acquired.is_set()
            try:
                async with asyncio.timeout(self._ttl):
                    await (self._renew() if was_held else self._acquire())
            except (PyMongoError, TimeoutError):
                log.debug("lease_unreachable", lease=self._name)
            self._note(was_held, on_lost)
            pause = min(self._ttl / 3, self.remaining) if self.held else self._ttl / 3
            await wait_or_stop(stopping, pause)
        await self._release()

    def _note(self, was_held: bool, on_lost: Callable[[], None]) -> None:
        if self.held and not was_held:
            self.acquired.set()
            log.info("lease_acquired", lease=self._name, fence=self.fence)
        elif was_held and not self.held:
            self.acquired.clear()
            log.warning("lease_lost", lease=self._name, fence=self.fence)
            on_lost()

    async def _acquire(self) -> None:
        asked_at = _now()
        found = await self._leases.find_one({"_id": self._name})
        if found is None:
            with suppress(DuplicateKeyError):
                await self._leases.insert_one({"_id": self._name, "holder": self._holder, "fence": 1, "beat": 1})
                self._hold(1, asked_at)
            return
        seen = (int(found["fence"]), int(found["beat"]))
        if found["holder"] is not None and seen != self._seen:
            self._seen, self._seen_at = seen, _now()
            return
        if found["holder"] is not None and _now() - self._seen_at < self._ttl:
            return
        taken = await self._leases.find_one_and_update(
            {"_id": self._name, "fence": seen[0], "beat": seen[1]},
            {"$set": {"holder": self._holder}, "$inc": {"fence": 1, "beat": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if taken is not None:
            self._hold(int(taken["fence"]), asked_at)

    async def _renew(self) -> None:
        asked_at = _now()
        result = await self._leases.update_one(
            {"_id": self._name, "holder": self._holder, "fence": self.fence}, {"$inc": {"beat": 1}}
        )
        self._valid_until = asked_at + self._ttl if result.matched_count else 0.0

    async def _release(self) -> None:
        self.acquired.clear()
        if not self.held:
            return
        self._valid_until = 0.0
        # An unreachable database lets the lease run out, as a crash would.
        with suppress(PyMongoError, TimeoutError):
            async with asyncio.timeout(min(self._ttl, 3.0)):
                await self._leases.update_one(
                    {"_id": self._name, "holder": self._holder, "fence": self.fence},
                    {"$set": {"holder": None}, "$inc": {"beat": 1}},
                )

    def _hold(self, fence: int, asked_at: float) -> None:
        self.fence = fence
        self._valid_until = asked_at + self._ttl


def _now() -> float:
    # Not the loop's clock: gauges are read by the thread that exports metrics, where no loop runs.
    return time.monotonic()
