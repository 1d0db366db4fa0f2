"""Take a message in: kept as it came, integrated or refused, and answered, in one transaction (spec/hl7v2.md §7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.unit_of_work import Document
from navette_documents.hl7v2 import (
    AckCode,
    AckError,
    Hl7Error,
    Limits,
    Location,
    Message,
    MessageError,
    build_ack,
    header_of,
    parse,
    unreadable_ack,
    word_of,
)

from navette_ins.adapters.pam_messages import Header, MessageState, MessageStore, Received, Verdict
from navette_ins.domain.pam.senders import Sender
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.integrate_pam_message import integrate_pam_message

KEPT = frozenset({MessageState.REFUSED, MessageState.TO_REVIEW, MessageState.WAITING})
"""States in which a message still asks something of somebody, or of INSi."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What the reception of messages goes by."""

    senders: Callable[[], Mapping[tuple[str, str], Sender]]
    production: bool
    keep: timedelta
    """How long a message that asks nothing of anybody is kept."""
    limits: Limits = field(default_factory=lambda: Limits(message_bytes=1024 * 1024, segments=500, parts=500))


async def receive_pam_message(
    uow: UnitOfWork, desk: Desk, intake: Intake, raw: bytes, origin: Mapping[str, str]
) -> bytes:
    """Store the message and what it leads to; the answer to send once this is committed."""
    store = MessageStore(uow, desk.keyring, desk.index)
    message: Message | None
    broken: Hl7Error | None = None
    try:
        message = parse(raw, intake.limits)
    except Hl7Error as error:
        message, broken = header_of(raw), error
    sender = None if message is None else _sender(message, intake)
    header = _shown(message, sender)
    earlier = await store.earlier(header) if header.identity else []
    before = next((row for row in earlier if row["digest"] == store.digest(raw)), None)
    if before is not None and before["ack_code"] != "AR":
        return store.answer_of(before)
    message_id: str = uuid7() if before is None else before["_id"]
    if message is None:
        verdict = Verdict(
            MessageState.REFUSED, "AR", reason=broken.rule if broken else "no_msh", condition=MessageError.OTHER
        )
    else:
        verdict = await _verdict(uow, desk, intake, message, broken, sender, earlier, message_id)
    answer = _answer(message, verdict, message_id, uow.now)
    # What can be replayed, or must be looked at, is kept until it was.
    asks = verdict.state in KEPT and message is not None
    expires_at = None if asks else uow.now + intake.keep
    received = Received(message_id, raw, header, uow.now, expires_at, origin)
    await store.add(received, verdict, answer, again=before is not None)
    return answer


async def keep_refused(
    uow: UnitOfWork,
    desk: Desk,
    intake: Intake,
    raw: bytes,
    origin: Mapping[str, str],
    reason: str,
    *,
    whole: bool,
) -> bytes:
    """Keep what could not be taken: a broken frame, or a message that broke the program itself. Answered AR."""
    message = header_of(raw)
    header = _shown(message, None if message is None else _sender(message, intake))
    message_id = uuid7()
    answer = later_ack(raw, reason, uow.now)
    verdict = Verdict(MessageState.REFUSED, "AR", reason=reason, condition=MessageError.APPLICATION)
    expires_at = None if whole else uow.now + intake.keep
    received = Received(message_id, raw, replace(header, identity=""), uow.now, expires_at, origin, whole)
    await MessageStore(uow, desk.keyring, desk.index).add(received, verdict, answer)
    return answer


def later_ack(raw: bytes, reason: str, at: datetime) -> bytes:
    """AR: the sender keeps its message and comes again."""
    verdict = Verdict(MessageState.REFUSED, "AR", reason=reason, condition=MessageError.APPLICATION)
    return _answer(header_of(raw), verdict, uuid7(), at)


def _answer(message: Message | None, verdict: Verdict, message_id: str, at: datetime) -> bytes:
    own_id = message_id[-12:]
    if message is None:
        return unreadable_ack(own_id=own_id, at=at, rule=verdict.reason or "")
    return build_ack(message, verdict.ack_code, own_id=own_id, at=at, errors=_errors(verdict))


async def _verdict(
    uow: UnitOfWork,
    desk: Desk,
    intake: Intake,
    message: Message,
    broken: Hl7Error | None,
    sender: Sender | None,
    earlier: Sequence[Document],
    reference: str,
) -> Verdict:
    if sender is None:
        return _refused(Hl7Error(MessageError.APPLICATION, "unknown_sender", Location("MSH", 1, 3)), "AR")
    try:
        if broken is not None:
            raise broken
        check_header(message, production=intake.production)
        if any(row["ack_code"] == "AA" for row in earlier):
            raise Hl7Error(MessageError.OTHER, "control_id_reused", Location("MSH", 1, 10))
        return await integrate_pam_message(
            uow, desk, message=message, sender=sender, reference=reference, production=intake.production
        )
    except Hl7Error as error:
        return _refused(error, "AE")


def check_header(message: Message, *, production: bool) -> None:
    """Raise Hl7Error for a header that PAM does not have, or a test message in production."""
    if not message.control_id:
        raise Hl7Error(MessageError.REQUIRED_FIELD, "control_id", Location("MSH", 1, 10))
    if message.message_type != "ADT":
        raise Hl7Error(MessageError.MESSAGE_TYPE, "message_type", Location("MSH", 1, 9, 1, 1))
    if production and message.msh.value(11) != "P":
        raise Hl7Error(MessageError.PROCESSING, "not_production", Location("MSH", 1, 11))


def refused_verdict(error: Hl7Error) -> Verdict:
    """What a message that the sender must correct comes to."""
    return _refused(error, "AE")


def _refused(error: Hl7Error, code: AckCode) -> Verdict:
    return Verdict(MessageState.REFUSED, code, reason=error.rule, condition=error.condition, location=error.location)


def _sender(message: Message, intake: Intake) -> Sender | None:
    return intake.senders().get((message.msh.value(3), message.msh.value(4)))


def _shown(message: Message | None, sender: Sender | None) -> Header:
    if message is None:
        return Header(None, "", "", "", "", "")
    msh = message.msh
    application, facility = msh.value(3), msh.value(4)
    return Header(
        sender=None if sender is None else sender.name,
        application=word_of(application),
        facility=word_of(facility),
        control_id=word_of(message.control_id),
        event=word_of(message.event),
        identity=f"{application}|{facility}|{message.control_id}" if message.control_id else "",
    )


def _errors(verdict: Verdict) -> list[AckError]:
    """Why a message is refused; of one that was taken, which of its contents were not."""
    if verdict.condition is not None:
        return [AckError(verdict.condition, verdict.reason or "", verdict.location)]
    return [
        AckError(MessageError.APPLICATION, remark, Location("PID", 1, 3), severity="W") for remark in verdict.remarks
    ]
