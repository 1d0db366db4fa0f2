"""A withdrawn report: what waits does not leave any more, and everyone who has a version is told (RIS.MSS.16)."""

from __future__ import annotations

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import MailKind, ReportWithdrawn

from navette_mss.adapters.mails import MAILS, SENT_STATES
from navette_mss.domain.order import MailOrder
from navette_mss.domain.record import MailState
from navette_mss.use_cases.schedule_mails import CHANNEL, row_of

WITHDRAWALS = "withdrawals"


async def tell_withdrawal(received: Received[ReportWithdrawn], uow: UnitOfWork) -> None:
    """Cancel what waits; one notice per recipient of any version, about the last document they got."""
    event = received.event
    version = {"$set": {"version": event.version}}
    await uow.collection(WITHDRAWALS).update_one({"_id": event.report_id}, version, upsert=True)
    rows = await uow.collection(MAILS).find({"report_id": event.report_id, "kind": MailKind.REPORT.value}).to_list()
    last: dict[str, MailOrder] = {}
    for row in sorted(rows, key=lambda row: row["scheduled_at"]):
        if row["state"] == MailState.SCHEDULED:
            await uow.cancel(CHANNEL, row["_id"], "withdrawn")
        elif row["state"] in SENT_STATES:
            last[row["recipient_id"]] = MailOrder.from_payload(row["order"])
    for order in last.values():
        await _notify(order.withdrawal(event.version), uow)


async def notify_if_withdrawn(order: MailOrder, uow: UnitOfWork) -> bool:
    """A mail that was already on its way when the report was withdrawn: its recipient is told too.

    False if the report is not withdrawn.
    """
    withdrawn = await uow.collection(WITHDRAWALS).find_one({"_id": order.report_id})
    if withdrawn is not None and not order.is_notice:
        await _notify(order.withdrawal(withdrawn["version"]), uow)
    return withdrawn is not None


async def _notify(order: MailOrder, uow: UnitOfWork) -> None:
    if await uow.schedule(CHANNEL, key=order.key, group=order.group, payload=order.to_payload()):
        await uow.collection(MAILS).insert_one(row_of(order, uow))
