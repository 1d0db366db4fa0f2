"""The MLLP side of the reception of messages, and the file of senders behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import structlog
from navette_chassis import UnitOfWork
from pydantic import ValidationError

from navette_ins.domain.pam.senders import Sender, SendersInvalid, load_senders
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake, keep_refused, later_ack, receive_pam_message

log = structlog.get_logger("navette.pam")


class SenderFile:
    """The senders of a mounted file, read again when it changes; an unusable new version is told and not taken."""

    def __init__(self, path: Path | None, sites: Iterable[str]) -> None:
        """Raises SendersInvalid, pydantic.ValidationError or OSError for a file that cannot be used."""
        self._path = path
        self._sites = frozenset(sites)
        self._changed = 0 if path is None else path.stat().st_mtime_ns
        self._senders: Mapping[tuple[str, str], Sender] = (
            {} if path is None else load_senders(path.read_bytes(), self._sites)
        )

    def __call__(self) -> Mapping[tuple[str, str], Sender]:
        """Senders by (MSH-3, MSH-4)."""
        if self._path is None:
            return self._senders
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._changed:
                self._changed = changed
                self._senders = load_senders(self._path.read_bytes(), self._sites)
        except (OSError, SendersInvalid, ValidationError) as error:
            log.warning("pam.senders_unusable", setting="pam_senders_file", error=type(error).__name__)
        return self._senders


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
