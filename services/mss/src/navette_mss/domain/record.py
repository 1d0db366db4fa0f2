"""What the service remembers of a mail: ids, states, instants; no patient, no text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MailState(StrEnum):
    """Where a mail stands."""

    SCHEDULED = "scheduled"
    SENT = "sent"
    """Accepted by the operator."""
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FrozenMail:
    """What was decided before the first attempt; every later one uses it again.

    `address` is that of a professional; a patient's holds the matricule and is derived from the document each time.
    """

    message_id: str
    envelope_id: str
    mailbox: str
    replaces: bool
    date: datetime
    address: str | None
    sha256: str
    last_sent_at: datetime
    references: tuple[str, ...] = ()
    """Message-IDs of the mails about the same report that this recipient got before, oldest first."""
