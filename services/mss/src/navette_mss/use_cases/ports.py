"""What the use cases need of the outside."""

from __future__ import annotations

from typing import Protocol

from navette_mss.adapters.annuaire import Directory, DirectoryAnswerError, DirectoryUnavailableError
from navette_mss.adapters.documents import DocumentRefusedError, DocumentUnavailableError
from navette_mss.adapters.mailbox import Cursor, MailboxUnavailableError, StoredMail
from navette_mss.adapters.smtp import Envelope, MessageTooLargeError, TransmissionError
from navette_mss.domain.receipts import Receipt
from navette_mss.domain.record import FrozenMail

__all__ = [
    "Cursor",
    "Directory",
    "DirectoryAnswerError",
    "DirectoryUnavailableError",
    "DocumentRefusedError",
    "DocumentUnavailableError",
    "Documents",
    "Envelope",
    "Mailbox",
    "MailboxUnavailableError",
    "Mails",
    "MessageTooLargeError",
    "Notifications",
    "Sender",
    "StoredMail",
    "TransmissionError",
]


class Documents(Protocol):
    """The document store of the report service."""

    async def fetch(self, document_id: str, kind: str, sha256: str, size: int) -> bytes:
        """Raises `DocumentUnavailableError`, `DocumentRefusedError`."""
        ...


class Sender(Protocol):
    """The operator's submission."""

    async def send(self, envelope: Envelope, message: bytes) -> int:
        """Raises `MessageTooLargeError`, `TransmissionError`."""
        ...


class Mailbox(Protocol):
    """One of our mailboxes, read."""

    async def read_after(self, mailbox: str, cursor: Cursor) -> list[StoredMail]:
        """Raises `MailboxUnavailableError`."""
        ...


class Notifications(Protocol):
    """What came back about our mails."""

    async def refresh(self) -> None:
        """Read what arrived until now. Raises `MailboxUnavailableError`."""
        ...

    async def about(self, envelope_id: str, message_id: str) -> Receipt | None:
        """The last word of the operator about a mail."""
        ...


class Mails(Protocol):
    """Memory of the mails."""

    async def frozen(self, key: str) -> FrozenMail | None:
        """What was decided, None before the first attempt."""
        ...

    async def freeze(self, key: str, mail: FrozenMail) -> None:
        """Remember what is about to be sent, before it is."""
        ...

    async def earlier_sent(self, report_id: str, recipient_id: str, document_id: str) -> bool:
        """Whether the recipient was sent another document of the report."""
        ...
