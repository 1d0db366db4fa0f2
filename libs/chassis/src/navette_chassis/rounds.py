"""Work done again and again by one process at a time, whichever holds the lease."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from navette_chassis.backoff import wait_or_stop
from navette_chassis.lease import Lease
from navette_chassis.service import Service
from navette_chassis.telemetry import redact

log = structlog.get_logger("navette.rounds")


class Rounds:
    """Rounds of one piece of work; `soon` asks for one before its time."""

    def __init__(self, service: Service, name: str, *, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        self._service = service
        self._name = name
        self._seconds = seconds
        self._work = work
        self._soon = asyncio.Event()

    def soon(self) -> None:
        """Ask for a round now; in the process that does not hold the lease this changes nothing."""
        self._soon.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Rounds]:
        """Do the rounds while the service runs, in a process that works at all."""
        if not self._service.mode.works:
            yield self
            return
        lease = Lease(
            self._service.database,
            self._name,
            holder=f"{socket.gethostname()}-{secrets.token_hex(8)}",
            ttl_seconds=self._service.settings.lease_ttl_seconds,
        )
        stopping = asyncio.Event()
        rounds = asyncio.create_task(self._rounds(lease, stopping))
        keeping = asyncio.create_task(lease.keep(stopping, lambda: None))
        try:
            yield self
        finally:
            stopping.set()
            self._soon.set()
            rounds.cancel()
            await asyncio.wait({rounds, keeping}, timeout=5)

    async def _rounds(self, lease: Lease, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await lease.acquired.wait()
            self._soon.clear()
            try:
                await self._work()
            except Exception as error:  # noqa: BLE001 - one round that fails must not end the others
                log.error("round.failed", task=self._name, **redact.describe(error))  # noqa: TRY400 - redacted
            await wait_or_stop(self._soon, self._seconds)
