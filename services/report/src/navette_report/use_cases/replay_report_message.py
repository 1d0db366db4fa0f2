"""Let a kept message go again once what stood in its way was corrected, or decide that nothing comes of it."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document

from navette_report.adapters.intake_messages import MessageState, MessageStore, Settled
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.integrate_report_message import IntakeDesk, Postponed, integrate_report_message
from navette_report.use_cases.receive_report_message import refusal_of

REPLAYABLE = frozenset({MessageState.WAITING.value, MessageState.REFUSED.value})
DISMISSIBLE = REPLAYABLE | {MessageState.TO_REVIEW.value}


async def replay_report_message(
    uow: UnitOfWork, desk: IntakeDesk, *, row: Document, by: str, into: str | None = None
) -> Document:
    """What the message came to this time. `row`: as the person saw it. `into`: the empty draft they name for it.

    Raises Forbidden: nothing to replay, not whole, refused for the same reason as before, or changed meanwhile.
    """
    messages, message_id = desk.rules.store(uow), row["_id"]
    await _still(messages, row)
    if row["state"] not in REPLAYABLE:
        raise Forbidden("nothing_to_replay")
    if not row["whole"]:
        raise Forbidden("not_whole")
    if row["state"] == MessageState.REFUSED.value and row["reason"] != "control_id_reused":
        still = refusal_of(desk.rules, await messages.content(message_id), row)
        if still is not None:
            raise Forbidden(still)
    await messages.requeue(message_id)
    try:
        await integrate_report_message(uow, desk, message_id, into=into)
    except Postponed as later:  # the worker comes back to it in a moment
        await messages.refer(message_id, later.refers)
    await uow.record_access(by, "intake.replay", "message", message_id, row["site_id"], "granted")
    return await _noted(messages, message_id, by)


async def set_message_aside(uow: UnitOfWork, desk: IntakeDesk, *, row: Document, by: str) -> Document:
    """Nothing more comes of the message; those that waited behind it go on.

    `row`: as the person saw it. Raises Forbidden when it is settled, or changed meanwhile.
    """
    messages, message_id = desk.rules.store(uow), row["_id"]
    await _still(messages, row)
    if row["state"] not in DISMISSIBLE:
        raise Forbidden("nothing_to_set_aside")
    refers = tuple(row.get("refers") or ())
    kept = Settled(
        MessageState.SET_ASIDE,
        row["reason"],
        tuple(row["remarks"]),
        report_id=row["report_id"],
        version=row["version"],
        refers=refers,
    )
    await messages.settle(message_id, kept)
    await messages.release(refers)
    await uow.record_access(by, "intake.set_aside", "message", message_id, row["site_id"], "granted")
    return await _noted(messages, message_id, by)


async def _still(messages: MessageStore, row: Document) -> None:
    """Refuse a decision about a message that is not any more what was decided about."""
    current = await messages.get(row["_id"])
    if current is None or mark_of(current) != mark_of(row):
        raise Forbidden("message_changed")


def mark_of(row: Document) -> str:
    """What a message came to and how often it was tried: another mark, another situation."""
    return f"{row['state']}-{row['attempts']}"


async def _noted(messages: MessageStore, message_id: str, by: str) -> Document:
    await messages.note(message_id, by=by)
    found = await messages.get(message_id)
    if found is None:
        raise LookupError(message_id)
    return found
