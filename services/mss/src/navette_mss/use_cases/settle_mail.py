"""The end of a delivery becomes an event of the report."""

from __future__ import annotations

from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import MssDelivered, MssFailed, MssSent

from navette_mss.adapters.mails import MAILS, RECEIPTS
from navette_mss.domain.order import MailOrder
from navette_mss.domain.receipts import ReceiptKind, who_must_act
from navette_mss.domain.record import MailState
from navette_mss.use_cases.schedule_mails import send_last_edition
from navette_mss.use_cases.tell_withdrawal import notify_if_withdrawn


async def settle_mail(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
    """Emit `mss.sent` (and what the operator already said of the mail), or `mss.failed`."""
    order = MailOrder.from_payload(delivery.payload)
    if outcome.kind is OutcomeKind.DELIVERED:
        state = await _accepted(order, outcome, uow)
        if state is not MailState.FAILED:
            await _follow(order, uow)
    else:
        state = MailState.CANCELLED if outcome.kind is OutcomeKind.CANCELLED else MailState.FAILED
        await _emit_failure(order, outcome, uow)
        if outcome.kind is OutcomeKind.CANCELLED and delivery.must_query:
            await _follow(order, uow)  # the attempt without answer may have been accepted
    # The counter makes this conflict with a notification that is recorded at the same moment.
    change = {"$set": {"state": state.value, "code": outcome.code}, "$inc": {"rev": 1}}
    await uow.collection(MAILS).update_one({"_id": order.key}, change)


async def _follow(order: MailOrder, uow: UnitOfWork) -> None:
    """What happened to the report while this mail was on its way concerns its recipient too."""
    if not await notify_if_withdrawn(order, uow):
        await send_last_edition(order, uow)


async def _accepted(order: MailOrder, outcome: Outcome, uow: UnitOfWork) -> MailState:
    row = await uow.collection(MAILS).find_one({"_id": order.key}) or {}
    message_id = outcome.remote_ids["message_id"]
    sent = MssSent(**_facts(order), message_id=message_id, sent_at=row.get("last_sent_at", uow.now))
    await uow.emit(sent, subject=order.report_id)
    # A notification that came before we knew that the mail had been accepted was kept for this moment.
    notices = await uow.collection(RECEIPTS).find({"mail": order.key}).to_list()
    bounce = next((one for one in notices if one["kind"] == ReceiptKind.FAILED), None)
    if bounce is not None:
        refused = Outcome.permanent(f"dsn-{bounce['status']}", who_must_act(bounce["status"]))
        await _emit_failure(order, refused, uow)
        return MailState.FAILED
    if any(one["kind"] == ReceiptKind.DELIVERED for one in notices):
        delivered = MssDelivered(**_facts(order), message_id=message_id, at=uow.now)
        await uow.emit(delivered, subject=order.report_id)
        return MailState.DELIVERED
    return MailState.SENT


async def _emit_failure(order: MailOrder, outcome: Outcome, uow: UnitOfWork) -> None:
    failed = MssFailed(
        **_facts(order),
        error_class=outcome.error_class,
        code=outcome.code,
        who_must_act=outcome.who_must_act,
        failed_at=uow.now,
    )
    await uow.emit(failed, subject=order.report_id)


def _facts(order: MailOrder) -> dict[str, Any]:
    return {
        "report_id": order.report_id,
        "version": order.version,
        "recipient_id": order.recipient_id,
        "role": order.role,
        "kind": order.kind,
    }
