"""The MLLP side of the reception of messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from navette_chassis import UnitOfWork

from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake, keep_refused, later_ack, receive_pam_message


class PamIntake:
    """What the listener does with messages (``navette_chassis.mllp.Takes``)."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
        self._desk = desk
        self._intake = intake

    async def take(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str]) -> bytes:
        """Integrate a message."""
        return await receive_pam_message(uow, self._desk, self._intake, raw, origin)

    async def keep(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str], reason: str, *, whole: bool) -> bytes:
        """Keep what could not be integrated."""
        return await keep_refused(uow, self._desk, self._intake, raw, origin, reason, whole=whole)

    def later(self, raw: bytes, reason: str, at: datetime) -> bytes:
        """AR."""
        return later_ack(raw, reason, at)
