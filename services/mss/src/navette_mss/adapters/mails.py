"""Memory of mails and notifications in MongoDB. Collections: `mails`, `receipts`, `mailbox_cursors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from navette_contracts.events import MailKind, Recipient, RecipientRole
from pymongo.asynchronous.database import AsyncDatabase

from navette_mss.domain.receipts import Receipt, ReceiptKind
from navette_mss.domain.record import FrozenMail, MailState

MAILS = "mails"
RECEIPTS = "receipts"
CURSORS = "mailbox_cursors"
SENT_STATES = (MailState.SENT.value, MailState.DELIVERED.value)

_FROZEN = ("message_id", "envelope_id", "mailbox", "replaces", "date", "address", "sha256", "last_sent_at")


class MongoMails:
    """Reads and single writes outside a transaction; the use cases write the rest in theirs."""

    def __init__(self, database: Callable[[], AsyncDatabase[dict[str, Any]]]) -> None:
        self._database = database

    async def frozen(self, key: str) -> FrozenMail | None:
        """What was decided about a mail, None before its first attempt."""
        row = await self._database()[MAILS].find_one({"_id": key})
        if row is None or "message_id" not in row:
            return None
        return FrozenMail(**{name: row[name] for name in _FROZEN}, references=tuple(row.get("references", ())))

    async def freeze(self, key: str, mail: FrozenMail) -> None:
        """Remember what is about to be sent; called again for a resend."""
        change = {name: getattr(mail, name) for name in _FROZEN} | {"references": list(mail.references)}
        await self._database()[MAILS].update_one({"_id": key}, {"$set": change})

    async def earlier_sent(self, report_id: str, recipient_id: str, key: str) -> tuple[str, ...]:
        """Message-IDs of the other mails with documents of the report that the recipient was sent, oldest first."""
        query = {
            "report_id": report_id,
            "recipient_id": recipient_id,
            "kind": MailKind.REPORT.value,
            "state": {"$in": SENT_STATES},
        }
        rows = await self._database()[MAILS].find(query).to_list()
        sent = sorted((row for row in rows if row["_id"] != key), key=lambda row: row["date"])
        return tuple(row["message_id"] for row in sent)

    async def receipt(self, envelope_id: str, message_id: str) -> Receipt | None:
        """The last word about a mail: a failure or a delivery, never a mere delay."""
        query = {
            "kind": {"$ne": ReceiptKind.DELAYED.value},
            "$or": [{"envelope_id": envelope_id}, {"message_id": message_id}],
        }
        rows = await self._database()[RECEIPTS].find(query).to_list()
        if not rows:
            return None
        row = max(rows, key=lambda one: one["at"])
        return Receipt(ReceiptKind(row["kind"]), row["status"], row["envelope_id"], row["message_id"])

    async def of_report(self, report_id: str) -> list[dict[str, Any]]:
        """Mails of a report, for operators."""
        return await self._database()[MAILS].find({"report_id": report_id}).sort("_id", 1).to_list()

    async def unmatched(self, limit: int) -> list[dict[str, Any]]:
        """Notifications that speak of no mail of ours, and mails nobody reads yet: newest first."""
        rows = await self._database()[RECEIPTS].find({"mail": None}).to_list()
        return sorted(rows, key=lambda row: row["at"], reverse=True)[:limit]


def recipient_of(row: dict[str, Any]) -> Recipient:
    """The recipient a mail was for."""
    return Recipient(
        recipient_id=row["recipient_id"],
        role=RecipientRole(row["role"]),
        rpps=row.get("rpps"),
        finess=row.get("finess"),
    )
