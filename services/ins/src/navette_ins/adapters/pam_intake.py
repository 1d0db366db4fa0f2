"""The MLLP side of the reception of messages."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from navette_chassis import Service
from navette_chassis.mllp import Malformed, Peer, Refusal
from navette_chassis.telemetry import redact
from pymongo.errors import DuplicateKeyError, PyMongoError

from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake, keep_refused, later_ack, receive_pam_message

log = structlog.get_logger("navette.pam")


class PamIntake:
    """Takes what the listener hears; an answer means that the message is durable."""

    def __init__(self, service: Service, desk: Desk, intake: Intake) -> None:
        self._service = service
        self._desk = desk
        self._intake = intake

    async def received(self, data: bytes, peer: Peer) -> bytes:
        """See ``MllpHandler``. Without a database the answer is AR: the sender keeps the message."""
        try:
            return await self._take(data, _origin(peer))
        except PyMongoError as error:
            log.error("pam.not_kept", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return later_ack(data, "not_kept", self._service.clock.now())
        except Exception as error:  # noqa: BLE001 - one message must not stop those behind it
            log.error("pam.unexpected", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return await self._keep(data, peer, f"unexpected_{type(error).__name__}", whole=True)

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        """See ``MllpHandler``. Noise between frames is kept but not answered: nobody asked anything."""
        answer = await self._keep(piece.evidence, peer, f"framing_{piece.why.value}", whole=False)
        return None if piece.why in (Refusal.OUTSIDE, Refusal.TRUNCATED) else answer

    async def _keep(self, data: bytes, peer: Peer, reason: str, *, whole: bool) -> bytes:
        try:
            return await self._service.transact(
                keep_refused, self._desk, self._intake, data, _origin(peer), reason, whole=whole
            )
        except PyMongoError as error:
            log.error("pam.not_kept", name=peer.listener, **redact.describe(error))  # noqa: TRY400 - redacted
            return later_ack(data, reason, self._service.clock.now())

    async def _take(self, data: bytes, origin: Mapping[str, str]) -> bytes:
        arguments = (receive_pam_message, self._desk, self._intake, data, origin)
        try:
            return await self._service.transact(*arguments)
        except DuplicateKeyError:  # the same message over two connections at once: the second sees the first
            return await self._service.transact(*arguments)


def _origin(peer: Peer) -> Mapping[str, str]:
    known = {"listener": peer.listener}
    return known if peer.subject is None else known | {"certificate": peer.subject}
