"""What the use cases need of the outside, and how it says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from navette_mss.domain.outcomes import Stage
from navette_mss.domain.receipts import Receipt
from navette_mss.domain.record import FrozenMail
from navette_mss.domain.resolution import Resolution


class DocumentUnavailableError(Exception):
    """The report service does not answer now."""


class DocumentRefusedError(Exception):
    """The document is not there or is not what was promised; `code` is a word of the outcome table."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DirectoryUnavailableError(Exception):
    """No answer now, or the key is refused: worth trying again later. `code` is a word of the outcome table."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DirectoryAnswerError(Exception):
    """The directory refuses the question or answers something else than a bundle."""


class TransmissionError(Exception):
    """The mail was not accepted, as far as anybody knows.

    `smtp_code` is the operator's answer, None when there was none. `ambiguous`: it may have been accepted.
    """

    def __init__(self, stage: Stage, code: str, *, smtp_code: int | None = None, ambiguous: bool = False) -> None:
        super().__init__(f"{stage}: {code}")
        self.stage = stage
        self.code = code
        self.smtp_code = smtp_code
        self.ambiguous = ambiguous


class MessageTooLargeError(Exception):
    """The message is larger than the operator or our own setting allows."""


class MailboxUnavailableError(Exception):
    """The mailbox could not be read now; the text names the step."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender, one recipient, and the id that notifications will carry."""

    mailbox: str
    recipient: str
    envelope_id: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox was read: UIDs grow within one UIDVALIDITY."""

    validity: int = 0
    uid: int = 0


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail of the mailbox. `raw` is None when it is larger than the reader accepts."""

    cursor: Cursor
    raw: bytes | None


class Directory(Protocol):
    """What a use case asks of the directory."""

    async def resolve(self, rpps: str | None, finess: str | None) -> Resolution:
        """Mailbox of a person (at a structure), or of a structure alone."""
        ...

    def forget(self, rpps: str | None, finess: str | None) -> None:
        """The address found for them was refused: ask anew next time."""
        ...


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

    async def earlier_sent(self, report_id: str, recipient_id: str, key: str) -> tuple[str, ...]:
        """Message-IDs of the other mails with documents of the report that the recipient was sent, oldest first."""
        ...
