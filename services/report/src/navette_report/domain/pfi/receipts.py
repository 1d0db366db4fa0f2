"""Business receipts of a platform: ZAM^Z01, Z02, Z03 (spec/hl7v2.md §6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from navette_contracts.events import WhoMustAct
from navette_documents.hl7v2 import Hl7Error, Location, Message, MessageError, Segment

from navette_report.domain.journey import Fact, LineState
from navette_report.domain.pfi.answers import dmp_refusal, is_temporary, mail_refusal, word


class ReceiptKind(StrEnum):
    """What a receipt tells of."""

    DMP = "Z01"
    DELIVERY = "Z02"
    READING = "Z03"


_CODES: Mapping[ReceiptKind, str] = {
    ReceiptKind.DMP: "ACK_RECEPTION_DMP",
    ReceiptKind.DELIVERY: "ACK_RECEPTION_MSS",
    ReceiptKind.READING: "ACK_LECTURE_MSS",
}


@dataclass(frozen=True, slots=True, repr=False)
class Receipt:
    """One receipt. `address` is the mailbox it is about, "" for the DMP."""

    kind: ReceiptKind
    refers_to: str
    """MSH-10 of our message."""
    positive: bool
    address: str = ""
    code: str = ""
    """ERR-5.1 of a negative one."""


def read_receipt(message: Message) -> Receipt:
    """What a ZAM says. Raises Hl7Error with the position and the rule, never a value."""
    if message.message_type != "ZAM":
        raise Hl7Error(MessageError.MESSAGE_TYPE, "message_type", Location("MSH", 1, 9, 1, 1))
    if message.event not in tuple(ReceiptKind):
        raise Hl7Error(MessageError.EVENT_CODE, "event", Location("MSH", 1, 9, 1, 2))
    kind = ReceiptKind(message.event)
    status = message.require("OBX")
    if status.value(3) != _CODES[kind]:
        raise Hl7Error(MessageError.TABLE_VALUE, "receipt_code", status.at(3))
    refers_to, said = status.value(4), status.value(5)
    if not refers_to:
        raise Hl7Error(MessageError.REQUIRED_FIELD, "message_referred_to", status.at(4))
    if said not in ("Y", "N"):
        raise Hl7Error(MessageError.TABLE_VALUE, "receipt_status", status.at(5))
    address = "" if kind is ReceiptKind.DMP else _address(message.all("OBX"), status)
    code = "" if said == "Y" else _reason(message)
    return Receipt(kind, refers_to, said == "Y", address, code)


def _address(segments: list[Segment], status: Segment) -> str:
    """OBX-5.4 of the second OBX, whatever stands in components 2 and 3 (§10, tolerance 3)."""
    mailbox = segments[1].first(5).component(4).strip() if len(segments) > 1 else ""
    if not mailbox:
        raise Hl7Error(MessageError.REQUIRED_FIELD, "mailbox", status.at(5))
    return mailbox.lower()


def _reason(message: Message) -> str:
    """ERR-5.1. A refusal without a reason is still a refusal."""
    error = message.get("ERR")
    return "" if error is None else error.value(5)


def fact_of_receipt(receipt: Receipt, at: datetime) -> Fact:
    """What a receipt says on the line it is about. `at`: when it arrived, the sender's clock is not ours."""
    if receipt.positive:
        return Fact(state=LineState.READ if receipt.kind is ReceiptKind.READING else LineState.DELIVERED, at=at)
    code = word(receipt.code)
    if receipt.kind is ReceiptKind.DMP:
        return Fact(state=LineState.REFUSED, at=at, reason=code, who_must_act=dmp_refusal(receipt.code))
    if receipt.kind is ReceiptKind.READING:
        return Fact(state=LineState.REFUSED, at=at, reason=f"mdn-{code}", who_must_act=WhoMustAct.SECRETARY)
    if is_temporary(receipt.code):
        return Fact(state=LineState.SENT, at=at, reason=f"smtp-{code}")
    return Fact(state=LineState.REFUSED, at=at, reason=f"smtp-{code}", who_must_act=mail_refusal(receipt.code))
