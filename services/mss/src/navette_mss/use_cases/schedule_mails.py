"""A composed report becomes one delivery per recipient."""

from __future__ import annotations

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import Recipient, RecipientRole, ReportComposed

from navette_mss.adapters.mails import MAILS, SENT_STATES, recipient_of
from navette_mss.domain.order import MailOrder, orders_of
from navette_mss.domain.record import MailState

CHANNEL = "mss.send"
EDITIONS = "editions"
"""The last edition of each report: its event, as received (no identity in it)."""


async def schedule_mails(received: Received[ReportComposed], uow: UnitOfWork) -> None:
    """Schedule the mails of an edition; those of older versions that still wait are no longer wanted."""
    event = received.event
    mails = uow.collection(MAILS)
    last = {"$set": {"version": event.version, "event": event.model_dump_json()}}
    await uow.collection(EDITIONS).update_one({"_id": event.report_id}, last, upsert=True)
    known = await mails.find({"report_id": event.report_id}).to_list()
    former = [
        recipient_of(row)
        for row in known
        if row["state"] in SENT_STATES and row["role"] != RecipientRole.PATIENT and row["version"] < event.version
    ]
    for row in known:
        # Also to those whom this version does not name any more; if one is out after all, `send_last_edition` follows.
        if row["state"] == MailState.SCHEDULED and row["version"] < event.version:
            await uow.cancel(CHANNEL, row["_id"], "superseded")
    for order in orders_of(event, former):
        for row in known:
            waits = row["recipient_id"] == order.recipient_id and row["state"] == MailState.SCHEDULED
            if waits and row["_id"] != order.key:
                await uow.cancel(CHANNEL, row["_id"], "superseded")
        await _want(order, uow)


async def send_last_edition(order: MailOrder, uow: UnitOfWork) -> None:
    """A mail that left while its version was being replaced: its recipient gets the new version too."""
    known = await uow.collection(EDITIONS).find_one({"_id": order.report_id})
    if known is None or order.is_notice or order.to_patient or known["version"] <= order.version:
        return
    recipient = Recipient(recipient_id=order.recipient_id, role=order.role, rpps=order.rpps, finess=order.finess)
    for last in orders_of(ReportComposed.parse(known["event"].encode()), [recipient]):
        if last.recipient_id == order.recipient_id:
            await _want(last, uow)


async def _want(order: MailOrder, uow: UnitOfWork) -> None:
    if await uow.schedule(CHANNEL, key=order.key, group=order.group, payload=order.to_payload()):
        await uow.collection(MAILS).insert_one(row_of(order, uow))


def row_of(order: MailOrder, uow: UnitOfWork) -> dict[str, object]:
    """What is remembered of a mail from the moment it is wanted."""
    return {
        "_id": order.key,
        "report_id": order.report_id,
        "version": order.version,
        "document_id": order.document_id,
        "recipient_id": order.recipient_id,
        "role": order.role.value,
        "rpps": order.rpps,
        "finess": order.finess,
        "kind": order.kind.value,
        "order": order.to_payload(),
        "state": MailState.SCHEDULED.value,
        "scheduled_at": uow.now,
    }
