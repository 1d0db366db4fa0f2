"""The mail of one report to one recipient (spec/mss.md §4): the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from navette_documents.cda_model import CdaHeader
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site

from navette_mss.domain import archive, names, texts
from navette_mss.domain.addresses import ins_complete
from navette_mss.domain.identity import MailIds, boundary

_REFERENCES = 8
"""Earlier mails named at most: a header line has 998 bytes at most."""


@dataclass(frozen=True, slots=True)
class MailPlan:
    """Everything that was decided before the first attempt and must not change afterwards."""

    delivery_key: str
    ids: MailIds
    mailbox: str
    to_patient: bool
    replaces: bool
    date: datetime
    product_reference: str
    references: tuple[str, ...] = ()
    """Message-IDs of earlier mails about the same report to this recipient, oldest first."""


def build_mail(plan: MailPlan, address: str, header: CdaHeader, *, site: Site, xdm: bytes, pdf: bytes) -> bytes:
    """The bytes to send to `address`, lines ended by CR LF."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(site.mss_display_name, plan.mailbox)
    if site.reply_to:
        mail["Reply-To"] = site.reply_to
    mail["To"] = address
    mail["Subject"] = names.subject(header, replaces=plan.replaces)
    mail["Date"] = format_datetime(plan.date)
    text = texts.body(site, to_patient=plan.to_patient, replaces=plan.replaces)
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    mail.add_attachment(
        xdm, maintype="application", subtype="zip", filename=archive.FILE_NAME, params={"name": archive.FILE_NAME}
    )
    mail.add_attachment(pdf, maintype="application", subtype="pdf", filename=names.pdf_name(header))
    mail.set_boundary(boundary(plan.delivery_key))
    carried = {"X-MSS-CODECDA": header.code.code, "X-MSS-INS": "O" if ins_complete(header) else "N"}
    return _machine_headers(plan, carried) + mail.as_bytes()


def build_notice(plan: MailPlan, address: str, header: CdaHeader, *, site: Site) -> bytes:
    """The bytes of a mail that tells of a withdrawal: preset text, no document, no medical content (RIS.MSS.16)."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(site.mss_display_name, plan.mailbox)
    if site.reply_to:
        mail["Reply-To"] = site.reply_to
    mail["To"] = address
    mail["Subject"] = names.withdrawal_subject(header)
    mail["Date"] = format_datetime(plan.date)
    mail.set_content(texts.withdrawal_body(site, to_patient=plan.to_patient), charset="utf-8", cte="quoted-printable")
    # Without a document, X-MSS-CODECDA and X-MSS-INS are absent (spec/mss.md §4).
    return _machine_headers(plan, {}) + mail.as_bytes()


def _machine_headers(plan: MailPlan, carried: Mapping[str, str]) -> bytes:
    """Headers that software reads, one line each: the library would fold a long id after the colon."""
    headers = {"Message-ID": plan.ids.message_id, "X-MSS-NIL": plan.product_reference, **carried}
    if plan.references:
        headers["In-Reply-To"] = plan.references[-1]
        headers["References"] = " ".join(plan.references[-_REFERENCES:])
    if plan.to_patient:
        headers["X-MSS-MES"] = "FIN"
    else:
        headers["Disposition-Notification-To"] = plan.mailbox
    return "".join(f"{name}: {_one_line(value)}\r\n" for name, value in headers.items()).encode("ascii")


def _one_line(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise InvalidValue("mail header", "printable ASCII")
    return value


def _address(display_name: str, mailbox: str) -> Address:
    user, _, domain = mailbox.rpartition("@")
    return Address(display_name=display_name, username=user, domain=domain)
