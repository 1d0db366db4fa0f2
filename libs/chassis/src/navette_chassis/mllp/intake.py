"""Messages taken in one transaction each: an answer means that what was received is durable (spec/hl7v2.md §7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog
from pymongo.errors import DuplicateKeyError, PyMongoError

from navette_chassis.mllp.framing import Malformed, Refusal
from navette_chassis.mllp.server import Peer
from navette_chassis.service import Service
from navette_chassis.telemetry import redact
from navette_chassis.unit_of_work import UnitOfWork

log = structlog.get_logger("navette.mllp")


class Takes(Protocol):
    """What a service does with messages. `origin` tells the listener and the certificate of the peer."""

    async def take(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str]) -> bytes:
        """Store a message and what it leads to; the answer to send once this is committed."""
        ...

    async def keep(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str], reason: str, *, whole: bool) -> bytes:
        """Store what could not be taken (`whole`: all of it is here); the answer, which asks to come again."""
        ...

    def later(self, raw: bytes, reason: str, at: datetime) -> bytes:
        """The answer when nothing could be stored: the sender keeps its message and comes again."""
        ...


class DurableIntake:
    """An ``MllpHandler`` whose every message is one transaction."""

    def __init__(self, service: Service, takes: Takes) -> None:
        self._service = service
        self._takes = takes

    async def received(self, data: bytes, peer: Peer) -> bytes:
        """See ``MllpHandler``. Without a database the answer asks to come again: the sender keeps the message."""
        try:
            return await self._take(data, origin_of(peer))
        except PyMongoError as error:
            log.error("mllp.not_kept", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return self._takes.later(data, "not_kept", self._service.clock.now())
        except Exception as error:  # noqa: BLE001 - one message must not stop those behind it
            log.error("mllp.unexpected", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return await self._keep(data, peer, f"unexpected_{type(error).__name__}", whole=True)

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        """See ``MllpHandler``. Noise between frames is kept but not answered: nobody asked anything."""
        answer = await self._keep(piece.evidence, peer, f"framing_{piece.why.value}", whole=False)
        return None if piece.why in (Refusal.OUTSIDE, Refusal.TRUNCATED) else answer

    async def _keep(self, data: bytes, peer: Peer, reason: str, *, whole: bool) -> bytes:
        try:
            return await self._service.transact(self._takes.keep, data, origin_of(peer), reason, whole=whole)
        except PyMongoError as error:
            log.error("mllp.not_kept", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return self._takes.later(data, reason, self._service.clock.now())

    async def _take(self, data: bytes, origin: Mapping[str, str]) -> bytes:
        try:
            return await self._service.transact(self._takes.take, data, origin)
        except DuplicateKeyError:  # the same message over two connections at once: the second sees the first
            return await self._service.transact(self._takes.take, data, origin)


def origin_of(peer: Peer) -> Mapping[str, str]:
    """Listener and certificate of a peer, as kept with its messages: common name, other names separated by blanks."""
    known = {"listener": peer.listener}
    if peer.subject is not None:
        known["certificate"] = peer.subject
    if peer.alternatives:
        known["certificate_names"] = " ".join(peer.alternatives)
    return known
