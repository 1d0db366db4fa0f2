"""The MLLP side of the intake: what the listener hears is prepared, gathered, made durable, answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from navette_chassis import Service
from navette_chassis.group_commit import GroupCommit
from navette_chassis.mllp import Malformed, Peer, Refusal, origin_of
from navette_chassis.telemetry import redact
from pymongo.errors import DuplicateKeyError, PyMongoError

from navette_report.use_cases.receive_report_message import (
    TOO_LARGE,
    IntakeRules,
    Prepared,
    later_ack,
    prepare,
    prepare_refused,
    store,
)

log = structlog.get_logger("navette.intake")

_LARGE = 256 * 1024
"""Bytes from which a message is prepared in a thread, so that the small ones of others do not wait for it."""


class ReportIntake:
    """Takes messages; an answer means that the message is durable (AA) or that its sender must keep it."""

    def __init__(
        self,
        service: Service,
        rules: IntakeRules,
        *,
        stored: Callable[[], None],
        max_items: int,
        max_bytes: int,
    ) -> None:
        self._service = service
        self._rules = rules
        self._stored = stored
        self._group: GroupCommit[Prepared, bytes] = GroupCommit(self._write, max_items=max_items, max_bytes=max_bytes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ReportIntake]:
        """Write what arrives while the block lasts."""
        async with self._group.running():
            yield self

    async def received(self, data: bytes, peer: Peer) -> bytes:
        """See ``MllpHandler``. Without a database the answer is AR: the sender keeps the message."""
        now, origin = self._service.clock.now(), origin_of(peer)
        try:
            if len(data) > _LARGE:
                prepared = await asyncio.to_thread(prepare, self._rules, data, origin, now)
            else:
                prepared = prepare(self._rules, data, origin, now)
        except Exception as error:  # noqa: BLE001 - one message must not stop those behind it
            log.error("intake.unexpected", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            prepared = prepare_refused(self._rules, data, origin, now, "unexpected", whole=True)
        return await self._durable(prepared, data, peer)

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        """See ``MllpHandler``. Noise between frames is kept but not answered: nobody asked anything."""
        reason = TOO_LARGE if piece.why is Refusal.TOO_LARGE else f"framing_{piece.why.value}"
        now = self._service.clock.now()
        prepared = prepare_refused(self._rules, piece.evidence, origin_of(peer), now, reason, whole=False)
        answer = await self._durable(prepared, piece.evidence, peer)
        return None if piece.why in (Refusal.OUTSIDE, Refusal.TRUNCATED) else answer

    async def _durable(self, prepared: Prepared, data: bytes, peer: Peer) -> bytes:
        try:
            return await self._group.add(prepared, len(data))
        except PyMongoError as error:
            log.error("intake.not_kept", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return later_ack(data, "not_kept", self._service.clock.now())

    async def _write(self, batch: Sequence[Prepared]) -> list[bytes]:
        try:
            answers = await self._service.transact(store, self._rules, batch)
        except DuplicateKeyError:  # another process stored one of them meanwhile: the second look sees it
            answers = await self._service.transact(store, self._rules, batch)
        self._stored()
        return answers
