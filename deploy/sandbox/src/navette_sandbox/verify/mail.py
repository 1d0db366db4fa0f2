"""A mail as a recipient's mailbox holds it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage


@dataclass(frozen=True)
class Mail:
    """The facts of one mail that carries a report."""

    message_id: str
    recipient: str
    sender: str
    subject: str
    headers: dict[str, str]
    body: str
    xdm: bytes | None
    pdf: bytes | None
    pdf_name: str

    @property
    def ins_flag(self) -> str:
        """X-MSS-INS: `O`, `N` or nothing."""
        return self.headers.get("x-mss-ins", "")


def read_mail(data: bytes) -> Mail:
    """Read a mail. Raises ValueError when it goes to more than one recipient."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage):
        raise TypeError("the policy gives EmailMessage")
    recipients = [
        str(address.addr_spec)
        for name in ("to", "cc", "bcc")
        for header in message.get_all(name, [])
        for address in header.addresses
    ]
    if len(recipients) != 1:
        raise ValueError(f"{len(recipients)} recipients in one mail")
    xdm, pdf, pdf_name = None, None, ""
    for part in message.iter_attachments():
        content = part.get_payload(decode=True)
        name = part.get_filename() or ""
        if name.upper() == "IHE_XDM.ZIP" and isinstance(content, bytes):
            xdm = content
        elif part.get_content_type() == "application/pdf" and isinstance(content, bytes):
            pdf, pdf_name = content, name
    text = message.get_body(("plain", "html"))
    return Mail(
        message_id=str(message["message-id"] or "").strip(),
        recipient=recipients[0],
        sender=str(message["from"] or ""),
        subject=str(message["subject"] or ""),
        headers={name.lower(): str(value) for name, value in message.items()},
        body=str(text.get_content()) if text is not None else "",
        xdm=xdm,
        pdf=pdf,
        pdf_name=pdf_name,
    )
