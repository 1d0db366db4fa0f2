"""Delivery status notifications (RFC 3464; spec/mss.md §7.1) turned into facts about our mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from enum import StrEnum

from navette_contracts.events import WhoMustAct

_OUR_MESSAGE_ID = re.compile(rb"<[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}@[A-Za-z0-9.-]+>")
_OUR_ENVELOPE_ID = re.compile(r"NAV[0-9a-f]{32}")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")


class ReceiptKind(StrEnum):
    """What a notification says of a mail."""

    DELIVERED = "delivered"
    """Delivered, relayed or expanded: handed over."""
    DELAYED = "delayed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One notification about one mail of ours, matched by the first of envelope id and Message-ID that is known."""

    kind: ReceiptKind
    status: str
    """Enhanced status code, `0.0.0` when the notification has no machine part."""
    envelope_id: str | None
    message_id: str | None


def read_receipt(raw: bytes) -> Receipt | None:
    """The receipt in a mail, None when it is no delivery notification.

    A bounce without machine part is recognised by its null sender and our Message-ID anywhere in the text.
    """
    mail = message_from_bytes(raw, policy=compat32)
    status_part = next((part for part in mail.walk() if part.get_content_type() == "message/delivery-status"), None)
    if status_part is None:
        return _bare_bounce(mail, raw)
    blocks = _blocks(status_part)
    if len(blocks) < 2:
        return None
    envelope_id = str(blocks[0].get("Original-Envelope-Id", "")).strip()
    facts = [_recipient(block) for block in blocks[1:]]
    # One recipient per mail of ours; should a server say more, the worst news is what counts.
    kind, status = next((fact for fact in facts if fact[0] is ReceiptKind.FAILED), facts[0])
    return Receipt(
        kind=kind,
        status=status,
        envelope_id=envelope_id if _OUR_ENVELOPE_ID.fullmatch(envelope_id) else None,
        message_id=_returned_message_id(mail, raw),
    )


def who_must_act(status: str) -> WhoMustAct:
    """Who can do something about a failure: 5.3.x and 5.5.x speak of us, all others of the recipient."""
    return WhoMustAct.ADMINISTRATOR if status[:4] in ("5.3.", "5.5.") and status != "5.3.4" else WhoMustAct.SECRETARY


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []


def _recipient(block: Message) -> tuple[ReceiptKind, str]:
    action = str(block.get("Action", "")).strip().lower()
    found = _STATUS.search(str(block.get("Status", "")))
    status = found.group(0) if found else "0.0.0"
    if action in ("delivered", "relayed", "expanded"):
        return ReceiptKind.DELIVERED, status
    return (ReceiptKind.DELAYED if action == "delayed" else ReceiptKind.FAILED), status


def _returned_message_id(mail: Message, raw: bytes) -> str | None:
    for part in _parts(mail):
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and part.get_content_type() == "text/rfc822-headers":
            value = message_from_bytes(content, policy=compat32).get("Message-ID")
        elif part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            value = inner[0].get("Message-ID") if isinstance(inner, list) and isinstance(inner[0], Message) else None
        else:
            continue
        if value:
            return str(value).strip()
    found = _OUR_MESSAGE_ID.search(raw)
    return found.group(0).decode() if found else None


def _parts(mail: Message) -> Iterator[Message]:
    """The parts of a report, without entering the mail that it returns."""
    payload = mail.get_payload()
    if isinstance(payload, list):
        yield from (part for part in payload if isinstance(part, Message))


def _bare_bounce(mail: Message, raw: bytes) -> Receipt | None:
    if str(mail.get("Return-Path", "")).strip() != "<>":
        return None
    found = _OUR_MESSAGE_ID.search(raw)
    if found is None:
        return None
    return Receipt(ReceiptKind.FAILED, "0.0.0", None, found.group(0).decode())
