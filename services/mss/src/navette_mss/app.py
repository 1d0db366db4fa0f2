"""Every event handler, delivery channel and route of the service mss, on one page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import httpx
from navette_chassis import Service
from navette_chassis.deliveries import BreakerPolicy, Channel, Delivery, Outcome, RetryPolicy
from navette_chassis.tls import ReloadingTransport, TlsFiles, watch_expiry
from navette_contracts.events import ReportComposed, ReportWithdrawn
from navette_documents.sites import Site, load_sites

from navette_mss.adapters.annuaire import AnnuaireClient
from navette_mss.adapters.documents import ReportDocuments
from navette_mss.adapters.mailbox import ImapReader
from navette_mss.adapters.mails import MAILS, RECEIPTS, MongoMails
from navette_mss.adapters.operator_tls import OperatorTls
from navette_mss.adapters.smtp import Operator, SmtpSender
from navette_mss.api.mails import mails_router
from navette_mss.domain.archive import Software
from navette_mss.settings import MssSettings
from navette_mss.use_cases.read_mailbox import ReadMailbox
from navette_mss.use_cases.refuse_replay import refuse_replay
from navette_mss.use_cases.schedule_mails import CHANNEL, schedule_mails
from navette_mss.use_cases.send_mail import MailRules, SendMail
from navette_mss.use_cases.settle_mail import settle_mail
from navette_mss.use_cases.tell_withdrawal import tell_withdrawal


def create_service(settings: MssSettings) -> Service:
    """The service, ready to start. Raises OSError or ValueError when certificates or sites are unusable."""
    service = Service(settings, name="mss")
    mails = MongoMails(lambda: service.database)
    sites = load_sites(settings.sites_file.read_bytes()) if settings.sites_file else {}
    tls = OperatorTls(
        TlsFiles("mss-client", settings.operator_ca, settings.mss_cert, settings.mss_key), settings.tls_12_only
    )
    tls.context()
    reader = service.resource(lambda: _reader(service, settings, mails, tls, _mailboxes(sites.values())))
    sender = service.resource(lambda: _sender(service, settings, mails, tls, sites, reader))

    async def attempt(delivery: Delivery) -> Outcome:
        return await sender()(delivery)

    service.index(MAILS, "report_id")
    service.index(MAILS, "envelope_id")
    service.index(MAILS, "message_id")
    service.index(RECEIPTS, "mail")
    service.index(RECEIPTS, "envelope_id")
    service.index(RECEIPTS, "message_id")
    service.on(ReportComposed, ordered=True)(schedule_mails)
    service.on(ReportWithdrawn, ordered=True)(tell_withdrawal)
    service.deliver(_channel(settings), attempt=attempt, settle=settle_mail, obsolete=refuse_replay)
    service.router(mails_router(mails))
    return service


def _channel(settings: MssSettings) -> Channel:
    return Channel(
        CHANNEL,
        endpoint="mss-operator",
        max_in_flight=settings.operator_connections,
        rate_per_second=settings.mss_rate_per_second,
        retry=RetryPolicy(
            first=timedelta(seconds=settings.mss_first_retry_seconds),
            query_first=timedelta(seconds=settings.mss_query_seconds),
        ),
        breaker=BreakerPolicy(probe_after_seconds=settings.mss_probe_seconds),
    )


@asynccontextmanager
async def _reader(
    service: Service, settings: MssSettings, mails: MongoMails, tls: OperatorTls, mailboxes: list[str]
) -> AsyncIterator[ReadMailbox]:
    """Reads our mailboxes now and then as long as the service runs."""
    imap = ImapReader(
        settings.imap_host,
        settings.imap_port,
        tls,
        sasl=settings.sasl,
        timeout=settings.operator_timeout_seconds,
        password=_secret(settings.sasl_password_file),
    )
    reader = ReadMailbox(imap, mailboxes, mails, lambda: service.database, service.transact)
    stopping = asyncio.Event()
    task = asyncio.create_task(reader.keep_reading(settings.receipt_poll_seconds, stopping))
    try:
        yield reader
    finally:
        stopping.set()  # a cancellation alone may be lost in a library that awaits with `asyncio.wait_for`
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _sender(
    service: Service,
    settings: MssSettings,
    mails: MongoMails,
    tls: OperatorTls,
    sites: Mapping[str, Site],
    reader: Callable[[], ReadMailbox],
) -> AsyncIterator[SendMail]:
    """What an attempt needs, with the connections to operator, directory and report."""
    watch_expiry(tls.files, service.clock.now)
    operator = Operator(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sasl=settings.sasl,
        timeout=settings.operator_timeout_seconds,
        connections=settings.operator_connections,
        idle_seconds=settings.operator_idle_seconds,
        max_message_bytes=settings.max_message_bytes,
    )
    smtp = SmtpSender(operator, tls, password=_secret(settings.sasl_password_file))
    transport = ReloadingTransport(TlsFiles("annuaire", settings.annuaire_ca))
    base_url = settings.annuaire_url.rstrip("/") + "/"
    async with httpx.AsyncClient(transport=transport, base_url=base_url, timeout=35, trust_env=False) as http:
        yield SendMail(
            documents=ReportDocuments(service.client("report")),
            directory=AnnuaireClient(
                http,
                key=_secret(settings.annuaire_key_file),
                calls_per_second=settings.annuaire_calls_per_second,
                cache_seconds=settings.annuaire_cache_seconds,
            ),
            sender=smtp,
            notifications=reader(),
            mails=mails,
            sites=sites,
            rules=_rules(settings),
            clock=service.clock,
        )
        await smtp.close()


def _rules(settings: MssSettings) -> MailRules:
    return MailRules(
        recipient_domains=settings.recipient_domains,
        patient_domain=settings.patient_domain,
        production=not settings.accept_test_ins,
        product_reference=settings.product_reference,
        software=Software("Navette", version("navette-mss")),
        receipt_grace=timedelta(seconds=settings.receipt_grace_seconds),
    )


def _mailboxes(sites: Iterable[Site]) -> list[str]:
    return sorted({site.mss_mailbox for site in sites})


def _secret(path: Path | None) -> Callable[[], str]:
    """Reads the file each time it is needed: a rotated secret counts at once."""
    return (lambda: path.read_text(encoding="utf-8").strip()) if path is not None else (lambda: "")
