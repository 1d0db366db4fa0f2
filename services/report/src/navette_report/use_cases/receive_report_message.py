"""Take messages in: kept sealed as they came and answered; what they lead to comes afterwards (spec/hl7v2.md §7).

The work is in two halves. `prepare` knows one message and no database: what it takes is the processor's. `store` writes
as many prepared messages as have gathered, in one transaction; the answers are sent once it is committed.
"""

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

from navette_report.adapters.intake_messages import MessageState, MessageStore, NewMessage, Tokens, sealed_pieces
from navette_report.adapters.patients import KeyringSource
from navette_report.domain.intake.reading import ALONE, EVENTS, NEEDED
from navette_report.domain.intake.senders import Sender, Senders

TOO_LARGE = "message_too_large"
_MAX_SEGMENTS = 5_000


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What the reception of messages goes by."""

    senders: Callable[[], Senders]
    tokens: Tokens
    keyring: KeyringSource
    production: bool
    keep: timedelta
    """How long a message that asks nothing of anybody is kept."""
    limits: Limits = field(default_factory=lambda: Limits(segments=_MAX_SEGMENTS))

    def store(self, uow: UnitOfWork) -> MessageStore:
        """The messages inside a unit of work."""
        return MessageStore(uow, self.keyring, keep=self.keep)


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A message ready to be stored, and how it will be answered unless it was received before."""

    header: Message | None
    row: NewMessage


def prepare(rules: IntakeRules, raw: bytes, origin: Mapping[str, str], now: datetime) -> Prepared:
    """Judge what can be judged without a database, and seal the message."""
    message: Message | None
    broken: Hl7Error | None = None
    try:
        message = parse(raw, rules.limits)
    except Hl7Error as error:
        message, broken = header_of(raw), error
    sender = None if message is None else sender_of(message, rules)
    refusal, code = _judged(message, broken, sender, origin.get("certificate", ""), production=rules.production)
    return _prepared(rules, message, sender, raw, origin, now, refusal, code)


def prepare_refused(
    rules: IntakeRules, raw: bytes, origin: Mapping[str, str], now: datetime, reason: str, *, whole: bool
) -> Prepared:
    """What could not be taken: a broken frame, or a message that broke the program itself. Answered AR: the same may
    pass another time; AE for one that is too large, and will be the next time too (spec/hl7v2.md §6.1).
    """
    message = header_of(raw)
    sender = None if message is None else sender_of(message, rules)
    error = Hl7Error(MessageError.APPLICATION, reason)
    code: AckCode = "AE" if reason == TOO_LARGE and message is not None else "AR"
    return _prepared(rules, message, sender, raw, origin, now, error, code, whole=whole)


async def store(uow: UnitOfWork, rules: IntakeRules, batch: Sequence[Prepared]) -> list[bytes]:
    """Store a batch and return the answer to each. Raises DuplicateKeyError when another process was quicker."""
    messages = rules.store(uow)
    seen: dict[str, list[Document]] = {}
    for found in await messages.earlier({one.row.key for one in batch}):
        seen.setdefault(found["key"], []).append(found)
    new: list[NewMessage] = []
    answers: list[bytes] = []
    for one in batch:
        earlier = seen.setdefault(one.row.key, [])
        row, is_new = _settled(one.row, earlier)
        if is_new:
            new.append(row)
            earlier.append(_known(row))
        elif row.ack_code == "AA" and row.message_id != one.row.message_id:
            await messages.accept({"_id": row.message_id, **one.row.fields})
        answers.append(_answer(one.header, row, uow.now))
    await messages.add(new)
    return answers


def refusal_of(rules: IntakeRules, raw: bytes, row: Document) -> str | None:
    """Why a refused message would be refused again, None when it would be taken now."""
    try:
        message = parse(raw, rules.limits)
    except Hl7Error as error:
        return error.rule
    error_now, _code = _judged(
        message, None, sender_of(message, rules), str(row.get("certificate", "")), production=rules.production
    )
    return None if error_now is None else error_now.rule


def later_ack(raw: bytes, reason: str, at: datetime) -> bytes:
    """AR: the sender keeps its message and comes again."""
    return _ack(header_of(raw), "AR", Hl7Error(MessageError.APPLICATION, reason), uuid7(), at)


def sender_of(message: Message, rules: IntakeRules) -> Sender | None:
    """The configured sender of a message."""
    return rules.senders().get((message.msh.value(3), message.msh.value(4)))


def _settled(row: NewMessage, earlier: Sequence[Document]) -> tuple[NewMessage, bool]:
    """The message as it counts, and whether it is to be stored: the same bytes under the same number came before."""
    same = next((one for one in earlier if one["digest"] == row.digest), None)
    put_off = same is not None and same["ack_code"] == "AR" and row.ack_code == "AA"
    if same is not None and not put_off:
        kept = {name: same[name] for name in ("ack_code", "reason", "condition", "location")}
        return replace(row, **kept), False
    if row.ack_code == "AA" and any(one["ack_code"] == "AA" for one in earlier):
        return replace(
            row,
            state=MessageState.REFUSED,
            ack_code="AE",
            reason="control_id_reused",
            condition=MessageError.OTHER.code,
            location=str(Location("MSH", 1, 10)),
        ), same is None
    return (row, True) if same is None else (replace(row, message_id=same["_id"]), False)


def _known(row: NewMessage) -> Document:
    names = ("key", "digest", "ack_code", "reason", "condition", "location")
    return {"_id": row.message_id} | {name: getattr(row, name) for name in names}


def _judged(
    message: Message | None,
    broken: Hl7Error | None,
    sender: Sender | None,
    certificate: str,
    *,
    production: bool,
) -> tuple[Hl7Error | None, AckCode]:
    """Why a message is refused, and whether it may come again as it is (AR) or must be corrected (AE)."""
    if message is None:
        return broken or Hl7Error(MessageError.OTHER, "no_msh"), "AR"
    if sender is None:
        return Hl7Error(MessageError.APPLICATION, "unknown_sender", Location("MSH", 1, 3)), "AR"
    if sender.certificate and sender.certificate != certificate:
        return Hl7Error(MessageError.APPLICATION, "wrong_certificate", Location("MSH", 1, 3)), "AR"
    if broken is not None:
        return broken, "AE"
    try:
        _check(message, production=production)
    except Hl7Error as error:
        return error, "AE"
    return None, "AA"


def _check(message: Message, *, production: bool) -> None:
    if not message.control_id:
        raise Hl7Error(MessageError.REQUIRED_FIELD, "control_id", Location("MSH", 1, 10))
    kind = message.message_type
    if kind not in NEEDED:
        raise Hl7Error(MessageError.MESSAGE_TYPE, "message_type", Location("MSH", 1, 9, 1, 1))
    if (kind, message.event or "R01") not in EVENTS:
        raise Hl7Error(MessageError.EVENT_CODE, "event", Location("MSH", 1, 9, 1, 2))
    if production and message.msh.value(11) != "P":
        raise Hl7Error(MessageError.PROCESSING, "not_production", Location("MSH", 1, 11))
    for name in NEEDED[kind]:
        message.require(name)
    # Messages that ran together, or results of several people: whose text it is cannot be told (spec/hl7v2.md §5.3).
    for name, rule in ALONE.items():
        if len(message.all(name)) > 1:
            raise Hl7Error(MessageError.CARDINALITY, rule, Location(name, 2))


def _prepared(
    rules: IntakeRules,
    message: Message | None,
    sender: Sender | None,
    raw: bytes,
    origin: Mapping[str, str],
    now: datetime,
    error: Hl7Error | None,
    code: AckCode,
    *,
    whole: bool = True,
) -> Prepared:
    message_id = uuid7()
    words = ("", "", "") if message is None else (message.msh.value(3), message.msh.value(4), message.control_id)
    # Without a number nothing can be recognised again: such a message is only ever the same as itself.
    key = rules.tokens.key(*words) if words[2] and whole else message_id
    row = NewMessage(
        message_id=message_id,
        key=key,
        digest=rules.tokens.digest(raw),
        form="hl7",
        fields={
            "sender": None if sender is None else sender.name,
            "site_id": None if sender is None else sender.site_id,
            "application": word_of(words[0]),
            "facility": word_of(words[1]),
            "control_id": word_of(words[2]),
            "event": "" if message is None else word_of(message.event),
            **origin,
        },
        received_at=now,
        size=len(raw),
        content=sealed_pieces(raw, rules.keyring()),
        whole=whole and message is not None,
        state=MessageState.RECEIVED if error is None else MessageState.REFUSED,
        ack_code=code,
        reason=None if error is None else error.rule,
        condition=None if error is None else error.condition.code,
        location=None if error is None or error.location is None else str(error.location),
    )
    return Prepared(message, row)


def _answer(header: Message | None, row: NewMessage, at: datetime) -> bytes:
    error = None
    if row.reason is not None:
        condition = next((one for one in MessageError if one.code == row.condition), MessageError.OTHER)
        error = Hl7Error(condition, row.reason, _location(row.location))
    code: AckCode = "AA" if row.ack_code == "AA" else "AE" if row.ack_code == "AE" else "AR"
    return _ack(header, code, error, row.message_id, at)


def _ack(header: Message | None, code: AckCode, error: Hl7Error | None, message_id: str, at: datetime) -> bytes:
    own_id = message_id[-12:]
    if header is None:
        return unreadable_ack(own_id=own_id, at=at, rule="no_msh" if error is None else error.rule)
    errors = [] if error is None else [AckError(error.condition, error.rule, error.location)]
    return build_ack(header, code, own_id=own_id, at=at, errors=errors)


def _location(text: str | None) -> Location | None:
    if not text:
        return None
    segment, *numbers = text.split("^")
    return Location(segment, *(int(one) for one in numbers))
