"""Submission and reading over real sockets, with TLS and certificates, against the MSSanté double."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from navette_chassis.tls import TlsFiles
from navette_documents.cda_header import read_header
from navette_documents.sites import Site
from navette_documents.xds import Visibility
from navette_mss.adapters.mailbox import ImapReader
from navette_mss.adapters.operator_tls import TLS_12_SUITES, OperatorTls
from navette_mss.adapters.smtp import Operator, SmtpSender
from navette_mss.domain.archive import Software, build_archive
from navette_mss.domain.identity import mail_ids
from navette_mss.domain.mail import MailPlan, build_mail
from navette_mss.domain.outcomes import Stage
from navette_mss.domain.receipts import ReceiptKind, read_receipt
from navette_mss.settings import SaslStep
from navette_mss.use_cases.ports import (
    Cursor,
    Envelope,
    MailboxUnavailableError,
    MessageTooLargeError,
    TransmissionError,
)
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.mss.server import MssSimulator
from navette_sandbox.simulators.mss.settings import MssSettings

MAILBOX = "comptes-rendus@imagerie-des-rives.mssante.example"
DOCTOR = "camille.referent-fictif@medecins-fictifs.mssante.example"
FULL = "agathe.pleine-fictive@medecins-fictifs.mssante.example"
IDS = mail_ids("doc-1:r1", MAILBOX)
Message = Callable[..., bytes]


@pytest.fixture
async def operator(pki: Pki, tmp_path: Path) -> AsyncIterator[MssSimulator]:
    settings = MssSettings(mailboxes={DOCTOR: "active", FULL: "full"})
    async with MssSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path), settings) as simulator:
        yield simulator


@pytest.fixture
def message(cda: Callable[..., bytes], pdf: bytes, site: Site) -> Message:
    def make(recipient: str = DOCTOR, key: str = "doc-1:r1", **changes: str) -> bytes:
        document = cda(**changes)
        header, moment = read_header(document), datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
        xdm = build_archive(
            header,
            document,
            site=site,
            visibility=Visibility(),
            lot_key=key,
            moment=moment,
            software=Software("Navette", "0.1"),
        )
        to_patient = "@patient." in recipient
        plan = MailPlan(key, mail_ids(key, MAILBOX), MAILBOX, to_patient, False, moment, "DEV000000")
        return build_mail(plan, recipient, header, site=site, xdm=xdm, pdf=pdf)

    return make


def tls(pki: Pki, certificate: str = "mss-client", ca: Path | None = None, *, only_12: bool = False) -> OperatorTls:
    return OperatorTls(TlsFiles("mss-client", ca or pki.igc_ca, *pki.pair(certificate)), only_12)


def sender(
    port: int, context: OperatorTls, *, sasl: SaslStep = "external", limit: int = 10_000_000, idle: float = 30
) -> SmtpSender:
    where = Operator("localhost", port, sasl, 60.0, 2, idle, limit)
    return SmtpSender(where, context, password=lambda: "mot-de-passe")


def envelope(recipient: str = DOCTOR) -> Envelope:
    return Envelope(MAILBOX, recipient, IDS.envelope_id)


def reader(simulator: MssSimulator, context: OperatorTls) -> ImapReader:
    return ImapReader("localhost", simulator.ports()["imap_port"], context, sasl="external", timeout=60)


def inbox(simulator: MssSimulator, address: str) -> list[bytes]:
    return [mail.raw for mail in simulator.store.mailbox(address).folders["INBOX"]]


async def refused(sending: SmtpSender, mail: bytes, recipient: str = DOCTOR) -> TransmissionError:
    with pytest.raises(TransmissionError) as error:
        await sending.send(envelope(recipient), mail)
    await sending.close()
    assert recipient not in str(error.value)
    return error.value


@pytest.mark.dsr("RIS.MSS.01")
@pytest.mark.dsr("RIS.MSS.04")
@pytest.mark.dsr("RIS.MSS.23")
@pytest.mark.parametrize("sasl", ["external", "external-authzid", "none"])
async def test_a_strict_operator_accepts_our_mail_unchanged(
    operator: MssSimulator, pki: Pki, message: Message, sasl: SaslStep
) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki), sasl=sasl)
    mail = message()
    assert await sending.send(envelope(), mail) == 250
    await sending.close()
    assert inbox(operator, DOCTOR) == [mail]
    assert operator.refusals.entries == []


@pytest.mark.dsr("RIS.MSS.22")
async def test_a_patient_is_reached_under_the_matricule(
    operator: MssSimulator, pki: Pki, message: Message, matricule: str
) -> None:
    address = f"{matricule}@patient.mssante.example"
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    mail = message(address)
    await sending.send(envelope(address), mail)
    await sending.close()
    assert inbox(operator, address) == [mail]


@pytest.mark.dsr("RIS.MSS.14")
async def test_the_notification_asked_for_comes_back_to_our_mailbox(
    operator: MssSimulator, pki: Pki, message: Message
) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    await sending.send(envelope(), message())
    await sending.close()
    found = await reader(operator, tls(pki)).read_after(MAILBOX, Cursor())
    assert [mail.cursor.uid for mail in found] == [1]
    receipt = read_receipt(found[0].raw or b"")
    assert receipt is not None
    assert (receipt.kind, receipt.envelope_id) == (ReceiptKind.DELIVERED, IDS.envelope_id)
    assert receipt.message_id == IDS.message_id
    assert await reader(operator, tls(pki)).read_after(MAILBOX, found[0].cursor) == []


async def test_a_changed_uidvalidity_reads_the_mailbox_again(
    operator: MssSimulator, pki: Pki, message: Message
) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    await sending.send(envelope(), message())
    await sending.close()
    found = await reader(operator, tls(pki)).read_after(MAILBOX, Cursor(validity=987_654, uid=40))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("recipient", "code"),
    [("personne@medecins-fictifs.mssante.example", 550), (FULL, 552), ("docteur@ailleurs.example", 550)],
)
async def test_a_refused_recipient_is_told_with_its_code(
    operator: MssSimulator, pki: Pki, message: Message, recipient: str, code: int
) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    error = await refused(sending, message(recipient), recipient)
    assert (error.stage, error.smtp_code, error.ambiguous) == (Stage.RECIPIENT, code, False)


async def test_a_refused_content_is_no_doubt(operator: MssSimulator, pki: Pki, message: Message) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    error = await refused(sending, message().replace(b"X-MSS-INS: O", b"X-MSS-INS: N"))
    assert (error.stage, error.smtp_code, error.ambiguous) == (Stage.DATA, 554, False)


async def test_a_refusal_leaves_the_connection_usable(operator: MssSimulator, pki: Pki, message: Message) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    with pytest.raises(TransmissionError):
        await sending.send(envelope(FULL), message(FULL))
    assert await sending.send(envelope(), message()) == 250
    await sending.close()


async def test_a_lost_answer_is_a_doubt(operator: MssSimulator, pki: Pki, message: Message) -> None:
    operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    sending = sender(operator.ports()["smtp_port"], tls(pki))
    error = await refused(sending, message())
    assert (error.stage, error.smtp_code, error.ambiguous) == (Stage.DATA, None, True)
    assert len(inbox(operator, DOCTOR)) == 1


async def test_an_operator_that_is_down_is_no_doubt(operator: MssSimulator, pki: Pki, message: Message) -> None:
    operator.faults.add({"kind": "down"})
    error = await refused(sender(operator.ports()["smtp_port"], tls(pki)), message())
    assert (error.smtp_code, error.ambiguous) == (None, False)
    with pytest.raises(MailboxUnavailableError):
        await reader(operator, tls(pki)).read_after(MAILBOX, Cursor())


async def test_a_busy_operator_says_so(operator: MssSimulator, pki: Pki, message: Message) -> None:
    operator.faults.add({"target": "rcpt", "kind": "4xx", "code": "450 4.2.1 plus tard", "count": 1})
    error = await refused(sender(operator.ports()["smtp_port"], tls(pki)), message())
    assert error.smtp_code == 450


class Relay:
    """A wire to the operator that can be cut."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self.server.close()

    def cut(self) -> None:
        while self.writers:
            self.writers.pop().transport.abort()

    async def _join(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers += [outgoing, writer]
        await asyncio.gather(self._pump(incoming, writer), self._pump(reader, outgoing))

    @staticmethod
    async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()


async def test_a_connection_that_died_while_idle_is_replaced(
    operator: MssSimulator, pki: Pki, message: Message
) -> None:
    async with Relay(operator.ports()["smtp_port"]) as relay:
        sending = sender(relay.port, tls(pki))
        await sending.send(envelope(), message())
        relay.cut()
        assert await sending.send(envelope(), message(key="doc-2:r1")) == 250
        await sending.close()
    assert len(inbox(operator, DOCTOR)) == 2


@pytest.mark.dsr("RIS.MSS.05", "MSS/CONF.12")
@pytest.mark.parametrize("certificate", ["rogue-client", "expired-client"])
async def test_without_a_good_certificate_nothing_is_sent(
    operator: MssSimulator, pki: Pki, message: Message, certificate: str
) -> None:
    error = await refused(sender(operator.ports()["smtp_port"], tls(pki, certificate)), message())
    assert error.stage in (Stage.CONNECT, Stage.SESSION)
    assert not error.ambiguous
    with pytest.raises(MailboxUnavailableError):
        await reader(operator, tls(pki, certificate)).read_after(MAILBOX, Cursor())


@pytest.mark.dsr("RIS.MSS.04", "MSS/CONF.27")
async def test_an_operator_of_another_authority_is_not_believed(
    operator: MssSimulator, pki: Pki, message: Message
) -> None:
    context = tls(pki, ca=pki.internal_ca)
    error = await refused(sender(operator.ports()["smtp_port"], context), message())
    assert (error.stage, error.code) == (Stage.CONNECT, "tls-refused")
    with pytest.raises(MailboxUnavailableError):
        await reader(operator, context).read_after(MAILBOX, Cursor())


async def test_a_certificate_of_another_mailbox_is_not_ours_to_send_from(
    operator: MssSimulator, pki: Pki, message: Message
) -> None:
    error = await refused(sender(operator.ports()["smtp_port"], tls(pki, "psc-client")), message())
    assert (error.stage, error.smtp_code) == (Stage.SESSION, 553)


async def test_a_login_by_password_after_the_certificate(pki: Pki, tmp_path: Path, message: Message) -> None:
    settings = MssSettings(
        mailboxes={DOCTOR: "active"}, sasl=("PLAIN",), sasl_required=True, passwords={MAILBOX: "mot-de-passe"}
    )
    async with MssSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path), settings) as simulator:
        port = simulator.ports()["smtp_port"]
        sending = sender(port, tls(pki), sasl="plain")
        assert await sending.send(envelope(), message()) == 250
        await sending.close()
        error = await refused(sender(port, tls(pki), sasl="external"), message())
        assert (error.stage, error.smtp_code) == (Stage.SESSION, 504)
        error = await refused(sender(port, tls(pki), sasl="none"), message())
        assert (error.stage, error.smtp_code) == (Stage.SESSION, 530)


async def test_a_mail_that_is_too_large_does_not_leave(pki: Pki, tmp_path: Path, message: Message) -> None:
    settings = MssSettings(mailboxes={DOCTOR: "active"}, max_size_patient=1000)
    async with MssSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path), settings) as simulator:
        port = simulator.ports()["smtp_port"]
        for sending in (sender(port, tls(pki)), sender(port, tls(pki), limit=500)):
            with pytest.raises(MessageTooLargeError):
                await sending.send(envelope(), message())
            await sending.close()
        assert simulator.refusals.entries == []


@pytest.mark.dsr("MSS/CONF.05")
async def test_without_starttls_nothing_is_said(pki: Pki, message: Message) -> None:
    """An operator, or somebody in between, that offers no TLS gets no address and no mail."""
    heard: list[bytes] = []

    async def talk(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        outgoing.write(b"220 clair\r\n")
        while line := await incoming.readline():
            heard.append(line)
            outgoing.write(b"250-clair\r\n250 SIZE 10000000\r\n")
        outgoing.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(sender(port, tls(pki)), message())
        assert error.code == "starttls-missing"
    assert all(line.upper().startswith((b"EHLO", b"QUIT")) for line in heard)


@pytest.mark.dsr("RIS.MSS.02", "MSS/CONF.01", "MSS/CONF.03")
@pytest.mark.dsr("RIS.MSS.03")
def test_only_the_allowed_versions_and_suites_are_offered(pki: Pki) -> None:
    context = tls(pki).context()
    old = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"}
    assert old == set(TLS_12_SUITES)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert tls(pki, only_12=True).context().maximum_version is ssl.TLSVersion.TLSv1_2


async def test_tls_1_2_alone_reaches_the_operator(operator: MssSimulator, pki: Pki, message: Message) -> None:
    sending = sender(operator.ports()["smtp_port"], tls(pki, only_12=True))
    assert await sending.send(envelope(), message()) == 250
    await sending.close()
