"""The MSSanté double on the wire: SMTP and IMAP ports, delivery, receipts, state views."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from navette_sandbox.simulators.common import (
    COMMON_KINDS,
    Listener,
    Simulator,
    SimulatorConfig,
    View,
    server_context,
)
from navette_sandbox.simulators.mss import dsn
from navette_sandbox.simulators.mss.checks import Envelope, check_mail, patient_matricule
from navette_sandbox.simulators.mss.imap import ImapSession
from navette_sandbox.simulators.mss.mailboxes import MailStore
from navette_sandbox.simulators.mss.settings import MssSettings
from navette_sandbox.simulators.mss.smtp import SmtpError, SmtpSession, Transaction
from navette_sandbox.simulators.mss.xdm import MailRuleError

_STATES = {
    "full": ("552 5.2.2 boîte pleine", "mailbox.full"),
    "suspended": ("550 5.2.1 boîte suspendue", "mailbox.suspended"),
}
MAX_LINE = 64 * 2**20


class MssSimulator(Simulator):
    """See the package. Fault targets: the SMTP verbs in lower case (``mail``, ``rcpt``, ``data`` …) and ``imap``.

    Own fault kinds: ``4xx`` and ``5xx`` (``code`` = the whole reply line). ``lost_answer``: the mail is
    accepted and delivered, then the connection is cut before the 250.
    """

    name = "mss"
    kinds = (COMMON_KINDS - {"http_error"}) | {"4xx", "5xx"}

    def __init__(self, config: SimulatorConfig, settings: MssSettings | None = None, *, imap_port: int = 0) -> None:
        super().__init__(config)
        self.settings = settings or MssSettings.load(config.data)
        self.store = MailStore(config.state)
        self.states = {address.lower(): state for address, state in self.settings.mailboxes.items()}
        self._context = server_context(config.pki, "mss-server")
        self._smtp = Listener(
            self._smtp_connection, port=config.port, host=config.host, refusing=self.faults.down, limit=MAX_LINE
        )
        self._imap = Listener(
            self._imap_connection, port=imap_port, host=config.host, refusing=self.faults.down, limit=MAX_LINE
        )

    async def start_main(self) -> None:
        """Open the SMTP and IMAP ports."""
        await self._smtp.start()
        await self._imap.start()

    async def stop_main(self) -> None:
        """Close both ports."""
        await self._smtp.stop()
        await self._imap.stop()

    def ports(self) -> Mapping[str, int]:
        """SMTP and IMAP ports."""
        return {"smtp_port": self._smtp.port, "imap_port": self._imap.port}

    def reset_state(self) -> None:
        """Forget every mail."""
        self.store.clear()

    def views(self) -> Mapping[str, View]:
        """mailboxes, duplicates, addresses."""
        return {
            "mailboxes": lambda _: self.store.as_json(),
            "duplicates": lambda _: self.store.duplicates,
            "addresses": lambda _: self.states,
        }

    def commands(self) -> Mapping[str, Any]:
        """``addresses``: set mailbox states; ``read``: the recipient reads a mail (MDN to the sender)."""
        return {"addresses": self._set_addresses, "read": self._read}

    def _set_addresses(self, states: dict[str, str]) -> None:
        self.states.update({address.lower(): state for address, state in states.items()})

    def _read(self, what: dict[str, str]) -> None:
        """``{"address": …, "message_id": …, "disposition": "manual-action/MDN-sent-manually; displayed"}``."""
        box = self.store.mailbox(what["address"])
        mails = [item for items in box.folders.values() for item in items]
        mail = next((item for item in mails if item.header("Message-ID") == what["message_id"]), None)
        if mail is None:
            raise ValueError("message_id: unknown in this mailbox")
        to = mail.header("Disposition-Notification-To")
        if not to:
            raise ValueError("message_id: no receipt was asked for")
        value = what.get("disposition", "manual-action/MDN-sent-manually; displayed")
        receipt = dsn.disposition(
            to, box.address, what["message_id"], mail.header("Subject"), value, self.settings.operator_domain
        )
        self.store.deliver(to.strip("<>"), receipt, box.address)

    # -- Operator -----------------------------------------------------------------------------------

    def check_recipient(self, address: str) -> None:
        """Raise `SmtpError` unless the address is trusted, well-formed and its mailbox takes mail."""
        if not self.settings.trusted(address):
            raise SmtpError("550 5.7.1 domaine hors de l'espace de confiance", "recipient.white_list")
        state = self.states.get(address.lower())
        if self.settings.is_patient(address):
            if patient_matricule(address) is None:
                raise SmtpError("550 5.1.1 adresse de patient invalide", "recipient.patient")
            state = state or "active"
        if state in {None, "unknown"}:
            raise SmtpError("550 5.1.1 destinataire inconnu", "recipient.unknown")
        if state is not None and state in _STATES:
            raise SmtpError(*_STATES[state])

    def accept(self, transaction: Transaction, raw: bytes) -> str:
        """Check the mail and deliver it with the receipts asked for. Raises `SmtpError`."""
        queue_id = uuid.uuid4().hex[:12].upper()
        try:
            check_mail(raw, Envelope(transaction.sender, transaction.recipient), self.settings)
        except MailRuleError as error:
            raise SmtpError(f"554 5.6.0 {error} [{error.rule}]", error.rule) from error
        if self.states.get(transaction.recipient.lower()) == "bouncing":
            if "NEVER" not in transaction.notify:
                self._notify(transaction, raw, "failed", "5.1.1", "550 5.1.1 destinataire inconnu")
            return queue_id
        self.store.deliver(transaction.recipient, raw, transaction.sender, transaction.envelope_id)
        if "SUCCESS" in transaction.notify:
            self._notify(transaction, raw, self.settings.dsn_action, "2.0.0", "")
        return queue_id

    def _notify(self, transaction: Transaction, raw: bytes, action: str, status: str, diagnostic: str) -> None:
        notice = dsn.Notice(
            sender=transaction.sender,
            recipient=transaction.recipient,
            original_recipient=transaction.original_recipient,
            envelope_id=transaction.envelope_id,
            action=action,
            status=status,
            diagnostic=diagnostic,
            return_full=transaction.return_full,
        )
        report = dsn.delivery_status(notice, raw, self.settings.operator_domain)
        self.store.deliver(transaction.sender, report, f"MAILER-DAEMON@{self.settings.operator_domain}")

    # -- connections --------------------------------------------------------------------------------

    async def _smtp_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await SmtpSession(reader, writer, self, self._context).run()
        except OSError as error:
            # ssl.SSLError is an OSError: a refused STARTTLS handshake ends here.
            self.note_handshake_error(getattr(error, "reason", None) or type(error).__name__)

    async def _imap_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = ImapSession(reader, writer, self.store, self.settings, self.faults, self._context)
        try:
            await session.run()
        except OSError as error:
            self.note_handshake_error(getattr(error, "reason", None) or type(error).__name__)
