"""Names of a mail that never change: a resend is recognised by them (spec/mss.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

_NAMESPACE = UUID("5f3ac0a2-6b1e-5c54-9d0e-0c6a4f6f3b11")
"""Drawn once for this service; every id below is a version 5 UUID under it."""


@dataclass(frozen=True, slots=True)
class MailIds:
    """Message-ID (with angle brackets) and ENVID of one delivery."""

    message_id: str
    envelope_id: str


def mail_ids(delivery_key: str, mailbox: str) -> MailIds:
    """Ids of the mail of a delivery sent from `mailbox`; the same key gives the same ids for ever."""
    token = uuid5(_NAMESPACE, delivery_key)
    domain = mailbox.rpartition("@")[2].lower()
    return MailIds(message_id=f"<{token}@{domain}>", envelope_id=f"NAV{token.hex}")


def boundary(delivery_key: str) -> str:
    """MIME boundary of the mail of a delivery."""
    return f"=_{uuid5(_NAMESPACE, 'boundary:' + delivery_key).hex}"


def delivery_key(document_id: str, recipient_id: str) -> str:
    """Key of the work item: one mail per document edition and recipient."""
    return f"{document_id}:{recipient_id}"
