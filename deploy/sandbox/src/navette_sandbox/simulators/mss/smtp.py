"""One SMTP submission session: STARTTLS with client certificate, SASL, SIZE, DSN (RFC 5321, 3461, 3207, 4954)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from navette_sandbox.simulators.common import FaultBook, Refusals, abort, peer_certificate
from navette_sandbox.simulators.mss.settings import MssSettings

_PATH = re.compile(r"<([^<>\s]*)>(.*)", re.DOTALL)
_NOTIFY = {"NEVER", "SUCCESS", "FAILURE", "DELAY"}


class SmtpError(Exception):
    """A reply that refuses the command: ``reply`` is the line sent, ``rule`` goes to the refusal log."""

    def __init__(self, reply: str, rule: str = "") -> None:
        super().__init__(reply)
        self.reply = reply
        self.rule = rule


@dataclass(slots=True)
class Transaction:
    """MAIL and RCPT of one mail."""

    sender: str
    return_full: bool = False
    envelope_id: str = ""
    recipient: str = ""
    original_recipient: str = ""
    notify: frozenset[str] = frozenset({"FAILURE"})


class Operator(Protocol):
    """What a session asks the operator."""

    settings: MssSettings
    faults: FaultBook
    refusals: Refusals

    def check_recipient(self, address: str) -> None:
        """Raise `SmtpError` unless the mailbox takes mail."""

    def accept(self, transaction: Transaction, raw: bytes) -> str:
        """Check and deliver; returns the queue id. Raises `SmtpError`."""


def mailbox_of(certificate: x509.Certificate | None) -> str:
    """The mailbox a client certificate is for: its subject CN, lower case."""
    if certificate is None:
        return ""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value).lower() if len(found) == 1 else ""


def unescape_xtext(value: str) -> str:
    """Decode xtext (RFC 3461 §4). Raises `SmtpError`."""
    if not re.fullmatch(r"([!-*,-<>-~]|\+[0-9A-F]{2})+", value):
        raise SmtpError("501 5.5.4 xtext attendu", "smtp.parameter")
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), value)


@dataclass(slots=True)
class SmtpSession:
    """State of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    operator: Operator
    context: ssl.SSLContext
    greeted: bool = False
    secure: bool = False
    identity: str = ""
    authenticated: bool = False
    transaction: Transaction | None = None
    finished: bool = field(default=False)

    async def run(self) -> None:
        """Serve until QUIT or end of file."""
        await self._send("220 mss.simulateur ESMTP")
        while not self.finished:
            line = await self.reader.readline()
            if not line:
                return
            if self.operator.faults.down():
                abort(self.writer)
                return
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            try:
                await self._command(verb.upper(), argument.strip())
            except SmtpError as error:
                if error.rule:
                    self.operator.refusals.record("smtp", error.rule, error.reply, mailbox=self.identity)
                await self._send(error.reply)

    async def _send(self, *lines: str) -> None:
        for index, line in enumerate(lines):
            code, text = line[:3], line[4:]
            separator = " " if index == len(lines) - 1 else "-"
            self.writer.write(f"{code}{separator}{text}\r\n".encode())
        await self.writer.drain()

    async def _command(self, verb: str, argument: str) -> None:
        handlers = {
            "EHLO": self._ehlo,
            "HELO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }
        handler = handlers.get(verb)
        if handler is None:
            raise SmtpError("502 5.5.1 commande inconnue")
        await self._scripted(verb.lower())
        await handler(argument)

    async def _scripted(self, verb: str) -> None:
        slow = self.operator.faults.take(verb, "slow")
        if slow is not None:
            await asyncio.sleep(slow.delay)
        if verb not in {"mail", "rcpt", "data", "auth"}:
            return
        fault = self.operator.faults.take(verb, "4xx", "5xx", "flaky")
        if fault is not None:
            usual = "554 5.3.0 panne simulée" if fault.kind == "5xx" else "451 4.3.0 panne simulée"
            self.transaction = None
            raise SmtpError(fault.code or usual)

    async def _ehlo(self, argument: str) -> None:
        del argument
        self.greeted, self.transaction = True, None
        lines = ["250 mss.simulateur", f"250 SIZE {self.operator.settings.max_size_patient}", "250 8BITMIME"]
        lines += ["250 PIPELINING", "250 ENHANCEDSTATUSCODES", "250 DSN"]
        if not self.secure:
            lines.append("250 STARTTLS")
        elif self.operator.settings.sasl:
            lines.append(f"250 AUTH {' '.join(self.operator.settings.sasl)}")
        await self._send(*lines)

    async def _starttls(self, argument: str) -> None:
        if self.secure or argument:
            raise SmtpError("503 5.5.1 STARTTLS déjà fait")
        await self._send("220 2.0.0 prêt")
        await self.writer.start_tls(self.context, ssl_handshake_timeout=10)
        self.secure, self.greeted = True, False
        self.identity = mailbox_of(peer_certificate(self.writer))

    async def _auth(self, argument: str) -> None:
        settings = self.operator.settings
        mechanism, _, initial = argument.partition(" ")
        mechanism = mechanism.upper()
        if not self.secure or mechanism not in settings.sasl:
            raise SmtpError("504 5.5.4 mécanisme refusé", "smtp.auth")
        if not initial:
            await self._send("334 ")
            initial = (await self.reader.readline()).decode("ascii", "replace").strip()
        try:
            response = b"" if initial == "=" else base64.b64decode(initial, validate=True)
        except binascii.Error as error:
            raise SmtpError("501 5.5.2 base64 attendu", "smtp.auth") from error
        if not self._authenticates(mechanism, response.decode("utf-8", "replace")):
            raise SmtpError("535 5.7.8 authentification refusée", "smtp.auth")
        self.authenticated = True
        await self._send("235 2.7.0 authentifié")

    def _authenticates(self, mechanism: str, response: str) -> bool:
        if mechanism == "EXTERNAL":
            return bool(self.identity) and response.lower() in {"", self.identity}
        fields = response.split("\0")
        if mechanism != "PLAIN" or len(fields) != 3 or fields[1].lower() != self.identity:
            return False
        return self.operator.settings.passwords.get(fields[1].lower()) == fields[2]

    async def _mail(self, argument: str) -> None:
        if not self.secure:
            raise SmtpError("530 5.7.0 STARTTLS attendu", "smtp.starttls")
        if not self.greeted:
            raise SmtpError("503 5.5.1 EHLO attendu")
        if self.operator.settings.sasl_required and not self.authenticated:
            raise SmtpError("530 5.7.0 authentification attendue", "smtp.auth")
        address, parameters = self._path(argument, "FROM:")
        if address.lower() != self.identity:
            raise SmtpError("553 5.7.1 expéditeur différent du certificat", "smtp.sender")
        transaction = Transaction(address)
        for name, value in parameters.items():
            if name == "SIZE" and value.isdigit():
                if int(value) > self.operator.settings.max_size_patient:
                    raise SmtpError("552 5.3.4 message trop grand", "smtp.size")
            elif name == "RET" and value.upper() in {"FULL", "HDRS"}:
                transaction.return_full = value.upper() == "FULL"
            elif name == "ENVID":
                transaction.envelope_id = unescape_xtext(value)
            elif not (name == "BODY" and value.upper() in {"7BIT", "8BITMIME"}):
                raise SmtpError("555 5.5.4 paramètre de MAIL refusé", "smtp.parameter")
        self.transaction = transaction
        await self._send("250 2.1.0 ok")

    async def _rcpt(self, argument: str) -> None:
        if self.transaction is None:
            raise SmtpError("503 5.5.1 MAIL attendu")
        address, parameters = self._path(argument, "TO:")
        if self.transaction.recipient:
            raise SmtpError("550 5.5.3 un seul destinataire par message", "smtp.one_recipient")
        self.operator.check_recipient(address)
        for name, value in parameters.items():
            if name == "NOTIFY":
                wanted = frozenset(value.upper().split(","))
                if not wanted <= _NOTIFY or ("NEVER" in wanted and len(wanted) > 1):
                    raise SmtpError("501 5.5.4 NOTIFY refusé", "smtp.parameter")
                self.transaction.notify = wanted
            elif name == "ORCPT" and ";" in value:
                self.transaction.original_recipient = unescape_xtext(value)
            else:
                raise SmtpError("555 5.5.4 paramètre de RCPT refusé", "smtp.parameter")
        self.transaction.recipient = address
        await self._send("250 2.1.5 ok")

    def _path(self, argument: str, keyword: str) -> tuple[str, dict[str, str]]:
        if not argument.upper().startswith(keyword):
            raise SmtpError("501 5.5.4 syntaxe")
        match = _PATH.fullmatch(argument[len(keyword) :].strip())
        if match is None or match[1].count("@") != 1:
            raise SmtpError("501 5.1.7 adresse attendue", "smtp.address")
        parameters: dict[str, str] = {}
        for item in match[2].split():
            name, _, value = item.partition("=")
            parameters[name.upper()] = value
        return match[1], parameters

    async def _data(self, argument: str) -> None:
        del argument
        transaction = self.transaction
        if transaction is None or not transaction.recipient:
            raise SmtpError("503 5.5.1 RCPT attendu")
        await self._send("354 fin par <CRLF>.<CRLF>")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        self.transaction = None
        content = re.sub(rb"(?m)^\.\.", b".", raw[:-3])
        patient = self.operator.settings.is_patient(transaction.recipient)
        limit = self.operator.settings.max_size_patient if patient else self.operator.settings.max_size
        if len(content) > limit:
            raise SmtpError("552 5.3.4 message trop grand", "smtp.size")
        queue_id = self.operator.accept(transaction, content)
        if self.operator.faults.take("data", "lost_answer"):
            abort(self.writer)
            self.finished = True
            return
        await self._send(f"250 2.0.0 accepté {queue_id}")

    async def _rset(self, argument: str) -> None:
        del argument
        self.transaction = None
        await self._send("250 2.0.0 ok")

    async def _noop(self, argument: str) -> None:
        del argument
        await self._send("250 2.0.0 ok")

    async def _quit(self, argument: str) -> None:
        del argument
        await self._send("221 2.0.0 au revoir")
        self.finished = True
