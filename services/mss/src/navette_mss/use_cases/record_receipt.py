"""A mail that came back to our mailbox becomes a fact about a mail of ours, once."""

from __future__ import annotations

from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.events import ErrorClass, MailKind, MssDelivered, MssFailed, RecipientRole

from navette_mss.adapters.mails import CURSORS, MAILS, RECEIPTS
from navette_mss.domain.receipts import Receipt, ReceiptKind, who_must_act
from navette_mss.domain.record import MailState
from navette_mss.use_cases.ports import Cursor

OTHER = "other"
"""Kind of a mail that is no delivery notification: an answer, a receipt of reading, documents."""


async def record_receipt(uow: UnitOfWork, mailbox: str, cursor: Cursor, receipt: Receipt | None) -> None:
    """Keep what arrived at `cursor`, tell the report if it speaks of one of its mails, and move the cursor.

    A mail that was not settled yet keeps the notice for `settle_mail`. What matches nothing stays visible.
    """
    identifier = f"{mailbox}:{cursor.validity}:{cursor.uid}"
    if await uow.collection(RECEIPTS).find_one({"_id": identifier}) is not None:
        return
    mail = None if receipt is None else await _mail_of(receipt, uow)
    await uow.collection(RECEIPTS).insert_one(
        {
            "_id": identifier,
            "kind": receipt.kind.value if receipt else OTHER,
            "status": receipt.status if receipt else None,
            "envelope_id": receipt.envelope_id if receipt else None,
            "message_id": receipt.message_id if receipt else None,
            "mail": mail["_id"] if mail else None,
            "at": uow.now,
        }
    )
    await uow.collection(CURSORS).update_one(
        {"_id": mailbox}, {"$set": {"validity": cursor.validity, "uid": cursor.uid}}, upsert=True
    )
    if mail is not None and receipt is not None:
        await _tell(mail, receipt, uow)


async def _mail_of(receipt: Receipt, uow: UnitOfWork) -> dict[str, Any] | None:
    """The mail a receipt speaks of: by envelope id, else by Message-ID. Touched, so that settling it conflicts."""
    mails = uow.collection(MAILS)
    for name, value in (("envelope_id", receipt.envelope_id), ("message_id", receipt.message_id)):
        # In two steps: the embedded database reads a whole collection for one that does both.
        if value is not None and (await mails.update_one({name: value}, {"$inc": {"rev": 1}})).matched_count:
            return await mails.find_one({name: value})
    return None


async def _tell(mail: dict[str, Any], receipt: Receipt, uow: UnitOfWork) -> None:
    facts = {
        "report_id": mail["report_id"],
        "version": mail["version"],
        "recipient_id": mail["recipient_id"],
        "role": RecipientRole(mail["role"]),
        "kind": MailKind(mail.get("kind", MailKind.REPORT.value)),
    }
    if receipt.kind is ReceiptKind.DELIVERED and mail["state"] == MailState.SENT:
        state = MailState.DELIVERED
        event: MssDelivered | MssFailed = MssDelivered(**facts, message_id=mail["message_id"], at=uow.now)
    elif receipt.kind is ReceiptKind.FAILED and mail["state"] in (MailState.SENT, MailState.DELIVERED):
        state = MailState.FAILED
        event = MssFailed(
            **facts,
            error_class=ErrorClass.PERMANENT,
            code=f"dsn-{receipt.status}",
            who_must_act=who_must_act(receipt.status),
            failed_at=uow.now,
        )
    else:
        return
    await uow.collection(MAILS).update_one({"_id": mail["_id"]}, {"$set": {"state": state.value}})
    await uow.emit(event, subject=mail["report_id"])
