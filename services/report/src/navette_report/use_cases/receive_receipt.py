"""Take a business receipt of a platform in: kept as it came, folded into the journey, answered (spec/hl7v2.md §6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from navette_chassis import UnitOfWork, uuid7
from navette_contracts.events import Audience
from navette_contracts.sealed import Keyring
from navette_documents.hl7v2 import (
    AckCode,
    AckError,
    Hl7Error,
    Limits,
    Location,
    Message,
    MessageError,
    build_ack,
    parse,
    unreadable_ack,
)

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.adapters.pfi_receipts import ReceiptState, ReceiptStore, ReceiptVerdict, ReceivedReceipt
from navette_report.domain.journey import Fact, LineState, Place
from navette_report.domain.pfi.distribution import Distribution, Platform
from navette_report.domain.pfi.letter import Letter
from navette_report.domain.pfi.receipts import Receipt, ReceiptKind, fact_of_receipt, read_receipt
from navette_report.use_cases.fold_platform_facts import fold_at, place_of_message, places_of_party

_UNKNOWN = Hl7Error(MessageError.APPLICATION, "unknown_sender", Location("MSH", 1, 3))
_WRONG = Hl7Error(MessageError.APPLICATION, "wrong_certificate", Location("MSH", 1, 3))


@dataclass(frozen=True, slots=True)
class ReceiptDesk:
    """What the reception of receipts goes by. The `Takes` of the listener."""

    distribution: Distribution
    keyring: Callable[[], Keyring]
    production: bool
    kept_for: timedelta
    limits: Limits = field(default_factory=lambda: Limits(message_bytes=256 * 1024, segments=50, parts=200))

    async def take(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str]) -> bytes:
        """Store a receipt and what it says of the journey; the answer to send once this is committed."""
        store = ReceiptStore(uow, self.keyring)
        try:
            message = parse(raw, self.limits)
        except Hl7Error as error:
            return await self._keep(uow, raw, None, error, "AR", origin)
        key, platform = _key(message), self._sender(message)
        earlier = await store.earlier(key)
        stranger = _stranger(platform, origin)
        for row in earlier:
            if store.same(row, raw) and (row["ack_code"] != "AR" or stranger is not None):
                answer = await store.came_again(row, uow.now)
                return answer if stranger is None else _answer(message, "AR", stranger, uow.now)
        if platform is None or stranger is not None:
            return await self._keep(uow, raw, message, stranger or _UNKNOWN, "AR", origin)
        try:
            if any(row["ack_code"] == "AA" for row in earlier):
                raise Hl7Error(MessageError.OTHER, "control_id_reused", Location("MSH", 1, 10))
            verdict = await self._fold(uow, message, platform)
        except Hl7Error as error:
            return await self._keep(uow, raw, message, error, "AE", origin)
        for row in earlier:
            # What somebody else sent in its name stays on record.
            if store.same(row, raw) or row["reason"] != _WRONG.rule:
                await store.remove(row["_id"])
        answer = build_ack(message, "AA", own_id=uuid7()[-12:], at=uow.now)
        expires = uow.now + self.kept_for if verdict.state is ReceiptState.FOLDED else None
        await store.add(self._received(uow, raw, message, origin, expires), verdict, answer)
        return answer

    async def keep(self, uow: UnitOfWork, raw: bytes, origin: Mapping[str, str], reason: str, *, whole: bool) -> bytes:
        """Keep what could not be taken. Broken frames are forgotten after a while, whole messages are not."""
        answer = self.later(raw, reason, uow.now)
        verdict = ReceiptVerdict(ReceiptState.REFUSED, "AR", reason=reason)
        expires = None if whole else uow.now + self.kept_for
        await ReceiptStore(uow, self.keyring).add(self._received(uow, raw, None, origin, expires), verdict, answer)
        return answer

    def later(self, raw: bytes, reason: str, at: datetime) -> bytes:
        """AR: the platform keeps its receipt and comes again."""
        try:
            message = parse(raw, self.limits)
        except Hl7Error:
            return unreadable_ack(own_id=uuid7()[-12:], at=at, rule=reason)
        return _answer(message, "AR", Hl7Error(MessageError.APPLICATION, reason), at)

    def _sender(self, message: Message) -> Platform | None:
        sender = (message.msh.value(3), message.msh.value(4))
        return next((one for one in self.distribution.platforms if (one.application, one.facility) == sender), None)

    async def _fold(self, uow: UnitOfWork, message: Message, platform: Platform) -> ReceiptVerdict:
        """Raises Hl7Error for a receipt that cannot be one of ours."""
        if not message.control_id:
            raise Hl7Error(MessageError.REQUIRED_FIELD, "control_id", Location("MSH", 1, 10))
        if self.production and message.msh.value(11) != "P":
            raise Hl7Error(MessageError.PROCESSING, "not_production", Location("MSH", 1, 11))
        receipt = read_receipt(message)
        sent = await PlatformMessages(uow).cited(receipt.refers_to)
        if sent is None or sent.platform != platform.name:
            raise Hl7Error(MessageError.APPLICATION, "message_unknown", Location("OBX", 1, 4))
        return await fold_receipt(uow, sent, receipt, platform, self.keyring())

    async def _keep(
        self,
        uow: UnitOfWork,
        raw: bytes,
        message: Message | None,
        error: Hl7Error,
        code: AckCode,
        origin: Mapping[str, str],
    ) -> bytes:
        answer = (
            unreadable_ack(own_id=uuid7()[-12:], at=uow.now, rule=error.rule)
            if message is None
            else _answer(message, code, error, uow.now)
        )
        verdict = ReceiptVerdict(ReceiptState.REFUSED, code, reason=error.rule)
        await ReceiptStore(uow, self.keyring).add(self._received(uow, raw, message, origin, None), verdict, answer)
        return answer

    def _received(
        self,
        uow: UnitOfWork,
        raw: bytes,
        message: Message | None,
        origin: Mapping[str, str],
        expires_at: datetime | None,
    ) -> ReceivedReceipt:
        platform = None if message is None else self._sender(message)
        kinds = {kind.value for kind in ReceiptKind}
        return ReceivedReceipt(
            receipt_id=uuid7(),
            raw=raw,
            key="" if message is None else _key(message),
            platform=None if platform is None else platform.name,
            event=message.event if message is not None and message.event in kinds else "",
            received_at=uow.now,
            expires_at=expires_at,
            origin=origin,
        )


async def fold_receipt(
    uow: UnitOfWork, sent: PlatformMessage, receipt: Receipt, platform: Platform, keyring: Keyring
) -> ReceiptVerdict:
    """Fold a receipt into the lines it is about. It may come before our message's own answer, late, or twice."""
    fact = fact_of_receipt(receipt, uow.now)
    await PlatformMessages(uow).spoken_of(sent.number)
    state, reason = ReceiptState.FOLDED, None
    if platform.kind == "drimbox" or (receipt.kind is ReceiptKind.DMP and Audience.DMP not in sent.parties):
        # A DRIMbox serves nobody for us; a message that was not for the DMP says nothing of the DMP.
        places, state, reason = [], ReceiptState.TO_REVIEW, "recipient_not_asked"
    elif receipt.kind is ReceiptKind.DMP:
        places = list(places_of_party(sent, Audience.DMP, platform.label))
    else:
        places = _places_of_mailbox(sent, sent.letter.open(keyring, Letter), receipt.address, platform.label)
        if not places:
            state, reason = ReceiptState.TO_REVIEW, "mailbox_not_ours"
    for place in places:
        await fold_at(uow, sent, place, fact)
    if receipt.positive:
        integrated = Fact(state=LineState.DELIVERED, at=uow.now)
        await JourneyRepository(uow).fold(place_of_message(sent, platform.label), integrated)
    return ReceiptVerdict(state, "AA", reason=reason, number=receipt.refers_to, report_id=sent.report_id)


def _places_of_mailbox(sent: PlatformMessage, letter: Letter, address: str, label: str) -> list[Place]:
    """The lines of whoever reads that mailbox."""
    if letter.patient_address is not None and letter.patient_address.lower() == address:
        return list(places_of_party(sent, Audience.PATIENT, label))
    readers = letter.readers(address)
    return [one for one in places_of_party(sent, Audience.PROFESSIONALS, label) if one.recipient_id in readers]


def _stranger(platform: Platform | None, origin: Mapping[str, str]) -> Hl7Error | None:
    """Why a peer is not heard: it names no platform, or its certificate is not that platform's."""
    if platform is None:
        return _UNKNOWN
    presented = [origin.get("certificate", ""), *origin.get("certificate_names", "").split()]
    return None if platform.admits(presented) else _WRONG


def _key(message: Message) -> str:
    number = message.control_id
    return f"{message.msh.value(3)}|{message.msh.value(4)}|{number}" if number else ""


def _answer(message: Message, code: AckCode, error: Hl7Error, at: datetime) -> bytes:
    return build_ack(
        message, code, own_id=uuid7()[-12:], at=at, errors=[AckError(error.condition, error.rule, error.location)]
    )
