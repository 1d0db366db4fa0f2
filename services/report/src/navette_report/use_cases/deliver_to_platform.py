"""Send a message to a platform, and write what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gridfs import NoFile
from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_chassis.mllp import MllpClient, Reply, outcome_of
from navette_contracts.events import WhoMustAct
from navette_contracts.sealed import Keyring, SealError
from navette_documents.hl7v2 import control_id
from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters import documents
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import (
    PlatformMessage,
    PlatformMessages,
    freeze,
    frozen,
    messages_of,
)
from navette_report.domain.journey import FAILURE_OF, Fact, LineState
from navette_report.domain.pfi.answers import refusal
from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.indicators import deletion
from navette_report.domain.pfi.letter import Action, Letter
from navette_report.domain.pfi.succession import THERE, MessageState, chain, overtaken
from navette_report.domain.pfi.writing import Written, written
from navette_report.use_cases.fold_platform_facts import fold_message, place_of_message

_STATES: Mapping[OutcomeKind, MessageState] = MappingProxyType(
    {
        OutcomeKind.DELIVERED: MessageState.ACCEPTED,
        OutcomeKind.PERMANENT: MessageState.REFUSED,
        OutcomeKind.CANCELLED: MessageState.CANCELLED,
        OutcomeKind.TRANSIENT: MessageState.FAILED,
        OutcomeKind.AMBIGUOUS: MessageState.FAILED,
    }
)


_NOT_THERE = "AE.207.900"


@dataclass(frozen=True, slots=True)
class Counter:
    """Where messages to one platform are handed in."""

    platform: Platform
    database: Callable[[], AsyncDatabase[dict[str, Any]]]
    keyring: Callable[[], Keyring]
    client: Callable[[], MllpClient]
    production: bool


def send_message(counter: Counter) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of a channel. What may have arrived is sent again as it was: MSH-10 tells the receiver."""

    async def attempt(delivery: Delivery) -> Outcome:
        sent = await messages_of(counter.database(), delivery.payload["report_id"], counter.platform.name)
        message = next((one for one in sent if one.number == delivery.payload["number"]), None)
        if message is None:
            return Outcome.permanent("message_missing", WhoMustAct.OPERATOR)
        if message.action is not Action.DELETE and overtaken(message, sent) and not delivery.must_query:
            return Outcome.cancelled("superseded")
        made = await _made(counter, message, sent)
        if isinstance(made, Outcome):
            return made
        outcome = _outcome(await counter.client().send(*made))
        if outcome.code == _NOT_THERE and message.action is Action.DELETE and not _surely_there(message, sent):
            return Outcome.cancelled("nothing_to_delete")
        return outcome

    return attempt


def settle_message(counter: Counter) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of a channel: the state of the message and the journey."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        messages = PlatformMessages(uow)
        message = await messages.get(delivery.payload["number"])
        if message is None:
            return
        state = _STATES[outcome.kind]
        if state is not MessageState.ACCEPTED and delivery.must_query:
            state = MessageState.DOUBTFUL
        await messages.ended(message, state, refused=outcome.kind is OutcomeKind.PERMANENT)
        if outcome.kind is OutcomeKind.DELIVERED:
            fact = Fact(state=LineState.SENT, at=uow.now, reason=message.remark)
        else:
            fact = Fact(
                state=FAILURE_OF[outcome.error_class],
                at=uow.now,
                reason=outcome.code,
                who_must_act=outcome.who_must_act,
            )
        if outcome.kind is OutcomeKind.CANCELLED and message.action is Action.DELETE:
            # It had nothing to delete, so nobody else is concerned.
            await JourneyRepository(uow).fold(place_of_message(message, counter.platform.label), fact)
            return
        await fold_message(uow, message, counter.platform, fact, begun=delivery.first_attempt_at)

    return settle


def _documents(message: PlatformMessage, sent: list[PlatformMessage]) -> list[PlatformMessage]:
    """The sendings of the document that a deletion is about, and of those it took the place of."""
    names = chain(message, sent)
    return [one for one in sent if one.action is not Action.DELETE and one.unique_id in names]


def _surely_there(message: PlatformMessage, sent: list[PlatformMessage]) -> bool:
    """Whether the platform said that it has the report; otherwise it may rightly say that it has not."""
    return any(one.state is MessageState.ACCEPTED for one in _documents(message, sent))


def _letter(counter: Counter, message: PlatformMessage, sent: list[PlatformMessage]) -> Letter | None:
    """What is written: for a deletion the last version the platform has, unchanged (§5.1); None when it has none."""
    keyring = counter.keyring()
    if message.action is not Action.DELETE or message.text is not None:
        return message.letter.open(keyring, Letter)
    there = [one for one in _documents(message, sent) if one.state in THERE]
    if not there:
        return None
    letters = [one.letter.open(keyring, Letter) for one in there]
    strict = counter.platform.kind == "pfi" and counter.platform.matrix == "strict"
    indicators = deletion([one.indicators for one in letters], letters[-1].indicators, strict=strict)
    everyone = {one.recipient_id: one for letter in letters for one in letter.addressees}
    mailbox = next((one.patient_address for one in reversed(letters) if one.patient_address), None)
    return letters[-1].model_copy(
        update={
            "indicators": indicators,
            "addressees": tuple(everyone.values()) if indicators.to_professionals else (),
            "patient_address": mailbox if indicators.to_patient else None,
        }
    )


async def _made(counter: Counter, message: PlatformMessage, sent: list[PlatformMessage]) -> tuple[bytes, str] | Outcome:
    """The bytes to send and their MSH-10, or why there are none."""
    try:
        letter = _letter(counter, message, sent)
        if letter is None:
            return Outcome.cancelled("nothing_to_delete")
        text = await _text(counter, message, letter)
        cda = await documents.read(counter.database(), letter.document_id, documents.Form.CDA)
    except SealError:
        return Outcome.permanent("key_unknown", WhoMustAct.OPERATOR)
    except NoFile:
        return Outcome.permanent("document_missing", WhoMustAct.OPERATOR)
    return text.with_document(cda), text.number


async def _text(counter: Counter, message: PlatformMessage, letter: Letter) -> Written:
    """What was sent before, or a new text. A receiver knows a message again by its MSH-10 and answers what it
    answered: what was refused keeps its MSH-10 when it is the same again, and gets another one when it is not.
    """
    if message.text is not None:
        return frozen(message.text, counter.keyring(), message.number)

    def under(number: str) -> Written:
        at, production = message.scheduled_at, counter.production
        return written(letter, message.action, counter.platform, number=number, at=at, production=production)

    made = under(message.number)
    content = control_id(message.number, made.text, letter.cda_sha256)
    if message.refused is not None:
        made = under(message.refused["number"] if content == message.refused["content"] else content)
    return await freeze(counter.database(), message.number, made, content, letter, counter.keyring())


def _outcome(reply: Reply) -> Outcome:
    if reply.code in ("AE", "CE"):
        return Outcome.permanent(*refusal(reply.condition, reply.application))
    return outcome_of(reply)
