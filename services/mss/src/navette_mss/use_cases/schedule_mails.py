"""A composed report becomes one delivery per recipient."""

from __future__ import annotations

from typing import Any

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import RecipientRole, ReportComposed

from navette_mss.adapters.mails import MAILS, SENT_STATES, recipient_of
from navette_mss.domain.order import MailOrder, orders_of
from navette_mss.domain.record import MailState

CHANNEL = "mss.send"


async def schedule_mails(received: Received[ReportComposed], uow: UnitOfWork) -> None:
    """Schedule the mails of an edition; those of older versions that still wait are no longer wanted."""
    event = received.event
    mails = uow.collection(MAILS)
    known = await mails.find({"report_id": event.report_id}).to_list()
    former = [
        recipient_of(row)
        for row in known
        if _may_have_it(row) and row["role"] != RecipientRole.PATIENT and row["version"] < event.version
    ]
    for row in known:
        # Also to those whom this version does not name any more.
        if row["state"] == MailState.SCHEDULED and row["version"] < event.version:
            await uow.cancel(CHANNEL, row["_id"], "superseded")
    for order in orders_of(event, former):
        for row in known:
            waits = row["recipient_id"] == order.recipient_id and row["state"] == MailState.SCHEDULED
            if waits and row["_id"] != order.key:
                await uow.cancel(CHANNEL, row["_id"], "superseded")
        if await uow.schedule(CHANNEL, key=order.key, group=order.group, payload=order.to_payload()):
            await mails.insert_one(row_of(order, uow))


def _may_have_it(row: dict[str, Any]) -> bool:
    """Sent, or tried: an attempt without answer may have been accepted."""
    return row["state"] in SENT_STATES or (row["state"] == MailState.SCHEDULED and "message_id" in row)


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
