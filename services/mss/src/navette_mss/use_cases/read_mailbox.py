"""Reads what arrived in our mailboxes, by and by and whenever somebody needs to know now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from navette_chassis.backoff import wait_or_stop
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from navette_mss.adapters.mails import CURSORS, MongoMails
from navette_mss.domain.receipts import Receipt, read_receipt
from navette_mss.use_cases.ports import Cursor, Mailbox, MailboxUnavailableError, StoredMail
from navette_mss.use_cases.record_receipt import record_receipt

log = structlog.get_logger("navette.mss")


@dataclass
class ReadMailbox:
    """The notifications about our mails."""

    mailbox: Mailbox
    addresses: Sequence[str]
    mails: MongoMails
    database: Callable[[], AsyncDatabase[dict[str, Any]]]
    transact: Callable[..., Awaitable[None]]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _started: int = 0
    _finished: int = 0

    async def refresh(self) -> None:
        """Read everything that arrived before the call; a reading that began after it serves several callers.

        Raises `MailboxUnavailableError`, and PyMongoError when the database is away.
        """
        asked = self._started
        async with self._lock:
            if self._finished > asked:
                return
            self._started += 1
            for address in self.addresses:
                await self._read(address)
            self._finished = self._started

    async def about(self, envelope_id: str, message_id: str) -> Receipt | None:
        """The operator's last word about a mail."""
        return await self.mails.receipt(envelope_id, message_id)

    async def keep_reading(self, every_seconds: float, stopping: asyncio.Event) -> None:
        """Read now and then until told to stop; one line when it stops working and one when it works again."""
        working = True
        while not await wait_or_stop(stopping, every_seconds):
            try:
                await self.refresh()
            except (MailboxUnavailableError, PyMongoError) as error:
                if working:
                    log.warning("mailbox_unreadable", error=type(error).__name__)
                working = False
            else:
                if not working:
                    log.info("mailbox_readable")
                working = True

    async def _read(self, address: str) -> None:
        row = await self.database()[CURSORS].find_one({"_id": address}) or {"validity": 0, "uid": 0}
        cursor = Cursor(row["validity"], row["uid"])
        while mails := await self.mailbox.read_after(address, cursor):
            for mail in mails:
                await self.transact(record_receipt, address, mail.cursor, _receipt(mail))
                cursor = mail.cursor


def _receipt(mail: StoredMail) -> Receipt | None:
    """The receipt in a mail; one that the parser gives up on stays visible as something we did not understand."""
    if mail.raw is None:
        return None
    try:
        return read_receipt(mail.raw)
    except (ValueError, LookupError, RecursionError) as error:
        log.warning("mail_unreadable", error=type(error).__name__)
        return None
