"""One attempt to send one report to one recipient.

Runs outside any transaction. When an earlier attempt may have been accepted, our mailbox is asked first: a
notification ends the doubt, silence during the grace time prolongs it, silence after it means sending the same bytes
again under the same Message-ID (spec/mss.md §5).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from navette_chassis import Clock
from navette_chassis.deliveries import Delivery, Outcome
from navette_documents.cda_header import read_header
from navette_documents.cda_model import CdaHeader
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_documents.xml import XmlRefused

from navette_mss.domain.addresses import AddressRefused, check_domain, patient_address
from navette_mss.domain.archive import Software, build_archive
from navette_mss.domain.identity import MailIds, mail_ids
from navette_mss.domain.mail import MailPlan, build_mail, build_notice
from navette_mss.domain.order import MailOrder
from navette_mss.domain.outcomes import LOCAL_REFUSALS, Stage, Verdict, smtp_meaning
from navette_mss.domain.receipts import ReceiptKind, who_must_act
from navette_mss.domain.record import FrozenMail
from navette_mss.domain.resolution import Decision
from navette_mss.use_cases.ports import (
    Directory,
    DirectoryAnswerError,
    DirectoryUnavailableError,
    DocumentRefusedError,
    Documents,
    DocumentUnavailableError,
    Envelope,
    MailboxUnavailableError,
    Mails,
    MessageTooLargeError,
    Notifications,
    Sender,
    TransmissionError,
)

log = structlog.get_logger("navette.mss")


@dataclass(frozen=True, slots=True)
class MailRules:
    """What the settings decide."""

    recipient_domains: Sequence[str]
    patient_domain: str
    production: bool
    product_reference: str
    software: Software
    receipt_grace: timedelta


class _Ended(Exception):  # noqa: N818 - carries an outcome, good or bad
    """The attempt ends here."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class SendMail:
    """The attempt of the channel mss.send."""

    documents: Documents
    directory: Directory
    sender: Sender
    notifications: Notifications
    mails: Mails
    sites: Mapping[str, Site]
    rules: MailRules
    clock: Clock

    async def __call__(self, delivery: Delivery) -> Outcome:
        order = MailOrder.from_payload(delivery.payload)
        try:
            return await self._send(order, must_query=delivery.must_query)
        except _Ended as ended:
            return ended.outcome

    async def _send(self, order: MailOrder, *, must_query: bool) -> Outcome:
        frozen = await self.mails.frozen(order.key)
        if must_query and frozen is not None:
            await self._end_if_known(frozen)
        if frozen is None and order.forbidden_by is not None:
            return Outcome.cancelled(order.forbidden_by)
        site = self.sites.get(order.site_id)
        if site is None:
            raise _refused("site-unknown")
        cda, pdf, header = await self._documents(order, must_query=must_query)
        address = await self._address(order, header, frozen, must_query=must_query)
        plan = await self._plan(order, site, frozen)
        if order.is_notice:
            message = await asyncio.to_thread(build_notice, plan, address, header, site=site)
        else:
            message = await self._compose(order, plan, address, header, site=site, cda=cda, pdf=pdf)
        await self._freeze(order, plan, message, frozen, address)
        return await self._transmit(order, plan, address, message, must_query=must_query)

    async def _end_if_known(self, frozen: FrozenMail) -> None:
        """End with what a notification says; wait while one may still come."""
        try:
            await self.notifications.refresh()
        except MailboxUnavailableError:
            raise _Ended(Outcome.ambiguous("mailbox-unavailable", endpoint_down=True)) from None
        receipt = await self.notifications.about(frozen.envelope_id, frozen.message_id)
        if receipt is not None and receipt.kind is ReceiptKind.DELIVERED:
            raise _Ended(Outcome.delivered("notified", message_id=frozen.message_id))
        if receipt is not None:
            raise _Ended(Outcome.permanent(f"dsn-{receipt.status}", who_must_act(receipt.status)))
        if self.clock.now() < frozen.last_sent_at + self.rules.receipt_grace:
            raise _Ended(Outcome.ambiguous("awaiting-notification"))

    async def _documents(self, order: MailOrder, *, must_query: bool) -> tuple[bytes, bytes, CdaHeader]:
        try:
            cda, pdf = await asyncio.gather(
                self.documents.fetch(order.document_id, "cda", order.cda_sha256, order.cda_size),
                self.documents.fetch(order.document_id, "pdf", order.pdf_sha256, order.pdf_size),
            )
            return cda, pdf, await asyncio.to_thread(read_header, cda)
        except DocumentUnavailableError:
            raise _Ended(_not_now("report-unavailable", must_query=must_query)) from None
        except DocumentRefusedError as refusal:
            raise _refused(refusal.code) from None
        except (InvalidValue, XmlRefused):
            raise _refused("document-unreadable") from None

    async def _address(
        self, order: MailOrder, header: CdaHeader, frozen: FrozenMail | None, *, must_query: bool
    ) -> str:
        try:
            if order.to_patient:
                if not order.ins_qualified:
                    raise AddressRefused("ins-not-qualified")
                domain = self.rules.patient_domain
                return patient_address(header, domain, production=self.rules.production)
            if must_query and frozen is not None and frozen.address is not None:
                return frozen.address  # a resend goes where the first copy may have gone
            if order.is_notice:
                copy = await self.mails.frozen(order.report_key)
                if copy is not None and copy.address is not None:
                    return copy.address  # where the document is, whatever the directory says today
            return check_domain(await self._resolve(order, must_query=must_query), self.rules.recipient_domains)
        except AddressRefused as refusal:
            raise _refused(refusal.code) from None

    async def _resolve(self, order: MailOrder, *, must_query: bool) -> str:
        if order.rpps is None and order.finess is None:
            raise AddressRefused("recipient-without-identifier")
        try:
            found = await self.directory.resolve(order.rpps, order.finess)
        except DirectoryUnavailableError as error:
            raise _Ended(_not_now(error.code, must_query=must_query)) from None
        except DirectoryAnswerError:
            raise AddressRefused("directory-answer-refused") from None
        if found.address is None:
            raise AddressRefused("address-unknown" if found.decision is Decision.NONE else "address-ambiguous")
        return found.address

    async def _plan(self, order: MailOrder, site: Site, frozen: FrozenMail | None) -> MailPlan:
        if frozen is not None:
            ids, mailbox = MailIds(frozen.message_id, frozen.envelope_id), frozen.mailbox
            replaces, date, references = frozen.replaces, frozen.date, frozen.references
        else:
            ids, mailbox = mail_ids(order.key, site.mss_mailbox), site.mss_mailbox
            references = await self.mails.earlier_sent(order.report_id, order.recipient_id, order.key)
            replaces = bool(references) and not order.is_notice
            date = self.clock.now().replace(microsecond=0)
        return MailPlan(
            delivery_key=order.key,
            ids=ids,
            mailbox=mailbox,
            to_patient=order.to_patient,
            replaces=replaces,
            date=date,
            product_reference=self.rules.product_reference,
            references=references,
        )

    async def _compose(
        self, order: MailOrder, plan: MailPlan, address: str, header: CdaHeader, *, site: Site, cda: bytes, pdf: bytes
    ) -> bytes:
        def compose() -> bytes:
            xdm = build_archive(
                header,
                cda,
                site=site,
                visibility=order.visibility,
                lot_key=order.key,
                moment=plan.date,
                software=self.rules.software,
            )
            return build_mail(plan, address, header, site=site, xdm=xdm, pdf=pdf)

        try:
            return await asyncio.to_thread(compose)
        except InvalidValue:
            raise _refused("document-unreadable") from None

    async def _freeze(
        self, order: MailOrder, plan: MailPlan, message: bytes, frozen: FrozenMail | None, address: str
    ) -> None:
        sha256, now = hashlib.sha256(message).hexdigest(), self.clock.now()
        if frozen is not None and frozen.sha256 != sha256:
            # A new release, or an address corrected meanwhile; the Message-ID still tells the receiver.
            log.info("resend_differs", document_id=order.document_id, recipient_id=order.recipient_id)
        await self.mails.freeze(order.key, _frozen(plan, None if order.to_patient else address, sha256, now))

    async def _transmit(
        self, order: MailOrder, plan: MailPlan, address: str, message: bytes, *, must_query: bool
    ) -> Outcome:
        envelope = Envelope(plan.mailbox, address, plan.ids.envelope_id)
        try:
            code = await self.sender.send(envelope, message)
        except MessageTooLargeError:
            raise _refused("too-large") from None
        except TransmissionError as error:
            if error.stage is Stage.RECIPIENT:
                self.directory.forget(order.rpps, order.finess)
            return _classify(error, must_query=must_query)
        return Outcome.delivered(f"smtp-{code}", message_id=plan.ids.message_id)


def _frozen(plan: MailPlan, address: str | None, sha256: str, now: datetime) -> FrozenMail:
    return FrozenMail(
        message_id=plan.ids.message_id,
        envelope_id=plan.ids.envelope_id,
        mailbox=plan.mailbox,
        replaces=plan.replaces,
        date=plan.date,
        address=address,
        sha256=sha256,
        last_sent_at=now,
        references=plan.references,
    )


def _classify(error: TransmissionError, *, must_query: bool) -> Outcome:
    if error.ambiguous:
        return Outcome.ambiguous(error.code)
    if error.smtp_code is None:
        down = Outcome.transient(error.code, endpoint_down=True)
        return Outcome.ambiguous(error.code, endpoint_down=True) if must_query else down
    meaning = smtp_meaning(error.smtp_code, error.stage)
    if meaning.verdict is Verdict.REFUSED:
        return Outcome.permanent(error.code, meaning.who)
    down_now = meaning.verdict is Verdict.DOWN
    if must_query:
        return Outcome.ambiguous(error.code, endpoint_down=down_now)
    return Outcome.transient(error.code, endpoint_down=down_now)


def _not_now(code: str, *, must_query: bool) -> Outcome:
    """Nothing was sent this time, but an earlier doubt stays a doubt."""
    return Outcome.ambiguous(code) if must_query else Outcome.transient(code)


def _refused(code: str) -> _Ended:
    reason = LOCAL_REFUSALS[code]
    return _Ended(Outcome.permanent(reason.code, reason.who))
