"""Receipts the operator writes: DSN (RFC 3464) and, on demand, MDN (RFC 8098). Built as text, by hand."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """What a DSN says about one recipient. ``action``: delivered, relayed or failed."""

    sender: str
    recipient: str
    original_recipient: str
    envelope_id: str
    action: str
    status: str
    diagnostic: str
    return_full: bool


_TEXTS = {
    "delivered": "Votre message a été remis au destinataire.",
    "relayed": "Votre message a été transmis au serveur suivant, qui ne confirme pas la remise.",
    "failed": "Votre message n'a pas pu être remis. Message non distribué.",
}


def _multipart(headers: list[str], boundary: str, parts: list[tuple[str, bytes]]) -> bytes:
    out = "\r\n".join(headers).encode() + b"\r\n\r\n"
    for content_type, content in parts:
        out += f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode() + content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


def delivery_status(notice: Notice, original: bytes, domain: str) -> bytes:
    """A ``multipart/report; report-type=delivery-status`` mail for the sender."""
    boundary = uuid.uuid4().hex
    now = format_datetime(datetime.now(UTC))
    success = notice.action in {"delivered", "relayed"}
    subject = "Successful Mail Delivery Report" if success else "Undelivered Mail Returned to Sender"
    fields = [f"Reporting-MTA: dns; {domain}"]
    if notice.envelope_id:
        fields.append(f"Original-Envelope-Id: {notice.envelope_id}")
    fields += [f"Arrival-Date: {now}", "", f"Final-Recipient: rfc822; {notice.recipient}"]
    if notice.original_recipient:
        fields.append(f"Original-Recipient: {notice.original_recipient}")
    fields += [f"Action: {notice.action}", f"Status: {notice.status}"]
    if notice.diagnostic:
        fields.append(f"Diagnostic-Code: smtp; {notice.diagnostic}")
    head = original.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    returned = ("message/rfc822", original) if notice.return_full else ("text/rfc822-headers", head)
    headers = [
        f"From: Mail Delivery System <MAILER-DAEMON@{domain}>",
        f"To: {notice.sender}",
        f"Subject: {subject}",
        f"Date: {now}",
        f"Message-ID: <{uuid.uuid4()}@{domain}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
    ]
    text = _TEXTS[notice.action].encode() + b"\r\n"
    status = ("\r\n".join(fields) + "\r\n").encode()
    parts = [("text/plain; charset=utf-8", text), ("message/delivery-status", status), returned]
    return _multipart(headers, boundary, parts)


def disposition(to: str, recipient: str, message_id: str, subject: str, value: str, domain: str) -> bytes:
    """A ``multipart/report; report-type=disposition-notification`` mail; ``value`` e.g. ``…; displayed``."""
    boundary = uuid.uuid4().hex
    fields = [
        "Reporting-UA: simulateur; Navette",
        f"Final-Recipient: rfc822; {recipient}",
        f"Original-Message-ID: {message_id}",
        f"Disposition: {value}",
    ]
    headers = [
        f"From: {recipient}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: <{uuid.uuid4()}@{domain}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=disposition-notification; boundary="{boundary}"',
    ]
    parts = [
        ("text/plain; charset=utf-8", "Accusé de lecture.\r\n".encode()),
        ("message/disposition-notification", ("\r\n".join(fields) + "\r\n").encode()),
    ]
    return _multipart(headers, boundary, parts)
