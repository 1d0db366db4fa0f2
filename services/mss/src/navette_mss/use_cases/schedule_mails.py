"""A composed report becomes one delivery per recipient."""

from __future__ import annotations

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
        if row["state"] in SENT_STATES and row["role"] != RecipientRole.PATIENT and row["version"] < event.version
    ]
    for order in orders_of(event, former):
        for row in known:
            waits = row["recipient_id"] == order.recipient_id and row["state"] == MailState.SCHEDULED
            if waits and row["_id"] != order.key:
                await uow.cancel(CHANNEL, row["_id"], "superseded")
        if await uow.schedule(CHANNEL, key=order.key, group=order.group, payload=order.to_payload()):
            await mails.insert_one(_row(order, uow))


def _row(order: MailOrder, uow: UnitOfWork) -> dict[str, object]:
    return {
        "_id": order.key,
        "report_id": order.report_id,
        "version": order.version,
        "document_id": order.document_id,
        "recipient_id": order.recipient_id,
        "role": order.role.value,
        "rpps": order.rpps,
        "finess": order.finess,
        "state": MailState.SCHEDULED.value,
        "scheduled_at": uow.now,
    }
