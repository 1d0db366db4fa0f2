"""Let a kept message go again, once what stood in its way was corrected."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_documents.hl7v2 import Hl7Error, parse

from navette_ins.adapters.local_ids import LocalIds
from navette_ins.adapters.pam_messages import MessageState, MessageStore, Verdict
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.pam.reading import read
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.integrate_pam_message import integrate_pam_message
from navette_ins.use_cases.receive_pam_message import Intake, check_header, refused_verdict

REPLAYABLE = frozenset({MessageState.REFUSED.value, MessageState.TO_REVIEW.value})


async def replay_pam_message(
    uow: UnitOfWork, desk: Desk, intake: Intake, *, message_id: str, by: str
) -> Document | None:
    """What the message came to this time; None when there is no such message.

    Raises Forbidden for one that needs no replay, or that a newer message about the same person has overtaken:
    replaying it would bring old traits back.
    """
    store = MessageStore(uow, desk.keyring, desk.index)
    known = await store.find(message_id)
    if known is None:
        return None
    row, raw = known
    if row["state"] not in REPLAYABLE:
        raise Forbidden("nothing_to_replay")
    if not row["whole"]:
        raise Forbidden("not_whole")
    verdict = await _again(uow, desk, intake, store, row, raw)
    if verdict.state in (MessageState.INTEGRATED, MessageState.IGNORED):
        verdict = Verdict(
            MessageState.REPLAYED, verdict.ack_code, patient_id=verdict.patient_id, subject=verdict.subject
        )
    await store.replayed(message_id, verdict, by=by, at=uow.now)
    await uow.record_access(by, "pam.replay", "message", message_id, None, "granted")
    found = await store.find(message_id)
    return None if found is None else found[0]


async def _again(
    uow: UnitOfWork, desk: Desk, intake: Intake, store: MessageStore, row: Document, raw: bytes
) -> Verdict:
    try:
        message = parse(raw, intake.limits)
        sender = intake.senders().get((message.msh.value(3), message.msh.value(4)))
        if sender is None:
            raise Forbidden("unknown_sender")
        check_header(message, production=intake.production)
        subject = LocalIds(uow, desk.identities(uow), desk.index).subject(sender, read(message, sender).local_id)
        if await store.newer(subject, row["received_at"]):
            raise Forbidden("newer_message")
        return await integrate_pam_message(
            uow, desk, message=message, sender=sender, reference=row["_id"], production=intake.production
        )
    except Hl7Error as error:
        return refused_verdict(error)
