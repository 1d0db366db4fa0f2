"""Submission of mails to the operator (spec/mss.md §2, §4): STARTTLS, client certificate, SASL, DSN, SIZE."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPException,
    SMTPReadTimeoutError,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from navette_mss.adapters.operator_tls import OperatorTls
from navette_mss.domain.outcomes import Stage
from navette_mss.settings import SaslStep
from navette_mss.use_cases.ports import Envelope, MessageTooLargeError, TransmissionError

_PREFIX = "smtp"


@dataclass(frozen=True, slots=True)
class Operator:
    """Where and how mails are submitted."""

    host: str
    port: int
    sasl: SaslStep
    timeout: float
    connections: int
    idle_seconds: float
    max_message_bytes: int


class SmtpSender:
    """Sends one mail per transaction over a few connections that are kept for the next one."""

    def __init__(
        self,
        operator: Operator,
        tls: OperatorTls,
        *,
        password: Callable[[], str] = lambda: "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator = operator
        self._tls = tls
        self._password = password
        self._monotonic = monotonic
        self._places = asyncio.Semaphore(operator.connections)
        self._idle: list[tuple[float, str, SMTP]] = []

    async def send(self, envelope: Envelope, message: bytes) -> int:
        """Submit `message`; returns the operator's code (250, 251, 252).

        Raises `MessageTooLargeError` or `TransmissionError`; nothing was accepted unless that one is ambiguous.
        """
        if len(message) > self._operator.max_message_bytes:
            raise MessageTooLargeError
        async with self._places:
            client = self._take(envelope.mailbox)
            if client is not None:
                try:
                    return await self._transact(client, envelope, message)
                except _StaleConnectionError:
                    client.close()
            client = await self._connect(envelope.mailbox)
            try:
                return await self._transact(client, envelope, message)
            except _StaleConnectionError as error:
                raise TransmissionError(Stage.SESSION, "connection-lost") from error

    async def close(self) -> None:
        """Say goodbye on the idle connections."""
        while self._idle:
            _, _, client = self._idle.pop()
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await client.quit(timeout=2)

    def _take(self, mailbox: str) -> SMTP | None:
        while self._idle:
            since, owner, client = self._idle.pop()
            fresh = self._monotonic() - since < self._operator.idle_seconds
            if fresh and owner == mailbox and client.is_connected:
                return client
            client.close()
        return None

    async def _connect(self, mailbox: str) -> SMTP:
        operator = self._operator
        client = SMTP(
            hostname=operator.host, port=operator.port, use_tls=False, start_tls=False, timeout=operator.timeout
        )
        try:
            async with _step(Stage.CONNECT, "unreachable"):
                await client.connect()
                await client.ehlo()
            if not client.supports_extension("starttls"):
                raise TransmissionError(Stage.CONNECT, "starttls-missing")
            async with _step(Stage.CONNECT, "tls-refused"):
                await client.starttls(tls_context=self._tls.context(), server_hostname=operator.host)
                await client.ehlo()
            async with _step(Stage.SESSION, "login-refused"):
                await self._authenticate(client, mailbox)
        except BaseException:
            client.close()
            raise
        return client

    async def _authenticate(self, client: SMTP, mailbox: str) -> None:
        if self._operator.sasl == "none":
            return
        if self._operator.sasl == "plain":
            await client.auth_plain(mailbox, self._password())
            return
        identity = mailbox if self._operator.sasl == "external-authzid" else ""
        # RFC 4954: an empty initial response is written "=".
        initial = base64.b64encode(identity.encode()) or b"="
        answer = await client.execute_command(b"AUTH", b"EXTERNAL", initial)
        if answer.code != 235:
            raise SMTPResponseException(answer.code, "AUTH EXTERNAL")

    async def _transact(self, client: SMTP, envelope: Envelope, message: bytes) -> int:
        limit = client.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(message):
            self._keep(envelope.mailbox, client)
            raise MessageTooLargeError
        try:
            code = await self._submit(client, envelope, message)
        except TransmissionError as error:
            if error.smtp_code is not None and not error.ambiguous and await _reset(client):
                self._keep(envelope.mailbox, client)
            else:
                client.close()
            raise
        except BaseException:
            client.close()
            raise
        self._keep(envelope.mailbox, client)
        return code

    async def _submit(self, client: SMTP, envelope: Envelope, message: bytes) -> int:
        dsn = client.supports_extension("dsn")
        options = [f"SIZE={len(message)}"] if client.supports_extension("size") else []
        if dsn:
            options += ["RET=HDRS", f"ENVID={envelope.envelope_id}"]
        try:
            async with _step(Stage.SESSION, "refused"):
                await client.mail(envelope.mailbox, options=options)
        except TransmissionError as error:
            if error.smtp_code in (None, 421):
                raise _StaleConnectionError from error
            raise
        notify = ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{_xtext(envelope.recipient)}"] if dsn else []
        async with _step(Stage.RECIPIENT, "refused"):
            answer = await client.rcpt(envelope.recipient, options=notify)
        async with _step(Stage.DATA, "answer-lost", ambiguous=True):
            await client.data(message)
        return answer.code

    def _keep(self, mailbox: str, client: SMTP) -> None:
        if self._operator.idle_seconds > 0:
            self._idle.append((self._monotonic(), mailbox, client))
        else:
            client.close()


class _StaleConnectionError(Exception):
    """A kept connection ended before anything of this mail was said."""


@contextlib.asynccontextmanager
async def _step(stage: Stage, code: str, *, ambiguous: bool = False) -> AsyncIterator[None]:
    """Turn what the library raises into `TransmissionError`; texts of the operator stay out of it."""
    try:
        yield
    except (SMTPServerDisconnected, SMTPReadTimeoutError) as error:
        raise TransmissionError(stage, code if ambiguous else "connection-lost", ambiguous=ambiguous) from error
    except SMTPResponseException as error:
        raise TransmissionError(stage, f"{_PREFIX}-{error.code}", smtp_code=error.code) from None
    except (SMTPException, OSError, TimeoutError) as error:
        raise TransmissionError(stage, code, ambiguous=ambiguous) from error


async def _reset(client: SMTP) -> bool:
    try:
        await client.rset(timeout=5)
    except (SMTPException, OSError, TimeoutError):
        return False
    return True


def _xtext(address: str) -> str:
    """RFC 3461 xtext: "+" and "=" are written in hexadecimal."""
    return address.replace("+", "+2B").replace("=", "+3D")
