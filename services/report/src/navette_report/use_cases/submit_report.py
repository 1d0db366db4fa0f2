"""Take in a report that a program submits: kept, integrated and answered in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.unit_of_work import Document

from navette_report.adapters.intake_messages import MESSAGES, MessageState, NewMessage, sealed_pieces
from navette_report.domain.intake.submitted import SubmittedReport
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.integrate_report_message import IntakeDesk, Postponed, integrate_report_message

KEY_REUSED = "idempotency_key_reused"
_ONE_PER_KEY = "one-per-key"
"""In place of the digest: under one key there is one submission, whatever it says."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Who submits what under which key."""

    body: SubmittedReport
    idempotency_key: str
    caller: str


async def submit_report(uow: UnitOfWork, desk: IntakeDesk, submission: Submission) -> Document:
    """The answer: the same for the same body under the same key, however often it comes.

    Raises Forbidden for another body under a known key, DuplicateKeyError when the same one is being taken in at this
    very moment: to be called again.
    """
    rules, body = desk.rules, submission.body
    raw = body.model_dump_json().encode()
    key, digest = rules.tokens.key("rest", submission.caller, submission.idempotency_key), rules.tokens.digest(raw)
    messages = rules.store(uow)
    earlier = await messages.earlier([key])
    if earlier:
        if earlier[0]["body_digest"] != digest:
            raise Forbidden(KEY_REUSED)
        return dict(earlier[0]["answer"])
    message_id = uuid7()
    fields: dict[str, Any] = {"sender": body.source, "site_id": body.site_id, "application": body.source}
    fields |= {"facility": "", "control_id": "", "event": "REST", "body_digest": digest}
    await messages.add(
        [
            NewMessage(
                message_id=message_id,
                key=key,
                digest=_ONE_PER_KEY,
                form="json",
                fields=fields,
                received_at=uow.now,
                size=len(raw),
                content=sealed_pieces(raw, rules.keyring()),
            )
        ]
    )
    try:
        settled = await integrate_report_message(uow, desk, message_id)
    except Postponed as later:  # the worker integrates it in a moment
        await messages.refer(message_id, later.refers)
        settled = None
    answer: Document = {"message_id": message_id, "state": MessageState.RECEIVED.value, "reason": None}
    answer |= {"report_id": None, "version": None, "remarks": []}
    if settled is not None:
        answer |= {"state": settled.state.value, "reason": settled.reason, "remarks": list(settled.remarks)}
        answer |= {"report_id": settled.report_id, "version": settled.version}
    await uow.collection(MESSAGES).update_one({"_id": message_id}, {"$set": {"answer": answer}})
    await uow.record_access(submission.caller, "intake.submit", "message", message_id, body.site_id, "granted")
    return answer
