"""What the use cases of verification work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from navette_chassis import UnitOfWork

from navette_ins.adapters.verifications import VerificationRepository
from navette_ins.adapters.verifier import Verifier
from navette_ins.use_cases.desk import Desk

UNATTENDED = "insi-auto"
"""Who asks when nobody does."""


@dataclass(frozen=True, slots=True)
class VerificationDesk:
    """The desk, the port, and how often identities are verified."""

    desk: Desk
    verifier: Callable[[], Verifier]
    period: timedelta = timedelta(days=5 * 365)
    """After the last positive recovery or verification."""
    lot_size: int = 5_000

    def verifications(self, uow: UnitOfWork) -> VerificationRepository:
        """Checks, batches and due dates inside a unit of work."""
        return VerificationRepository(uow, self.desk.keyring)
