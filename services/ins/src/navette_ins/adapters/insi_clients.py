"""The callers of INSi this installation has: a person's, and the unattended one (spec/ins.md §2.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from navette_chassis import Clock
from navette_chassis.tls import ReloadingTransport, TlsFiles, watch_expiry

from navette_ins.adapters.certificates import sender_of
from navette_ins.adapters.insi_soap import InsiSoap
from navette_ins.domain.insi.assertion import PscAssertion
from navette_ins.domain.insi.request import Software
from navette_ins.settings import InsSettings


@dataclass(frozen=True, slots=True)
class InsiClients:
    """`manual` makes the calls of people; `unattended` exists only with a second certificate."""

    manual: InsiSoap
    manual_http: httpx.AsyncClient
    unattended: InsiSoap | None
    unattended_http: httpx.AsyncClient | None


def check_certificates(settings: InsSettings) -> None:
    """Raise CertificateUnfit, OSError or ValueError for a certificate that INSi would refuse."""
    sender_of(settings.insi_client_cert, "INSI-MANU")
    if settings.insi_auto_cert is not None:
        sender_of(settings.insi_auto_cert, "INSI-AUTO")


@asynccontextmanager
async def insi_clients(settings: InsSettings, clock: Clock) -> AsyncIterator[InsiClients]:
    """The callers, while the service runs."""
    async with AsyncExitStack() as stack:

        async def caller(tls: TlsFiles, url: str, identity: str | PscAssertion) -> tuple[InsiSoap, httpx.AsyncClient]:
            watch_expiry(tls, clock.now)
            timeout = httpx.Timeout(settings.insi_read_seconds, connect=settings.insi_connect_seconds)
            client = httpx.AsyncClient(transport=ReloadingTransport(tls), timeout=timeout, trust_env=False)
            await stack.enter_async_context(client)
            soap = InsiSoap(
                client,
                url=url,
                software=_software(settings),
                identity=identity,
                clock=clock,
                again_seconds=settings.insi_again_seconds,
            )
            return soap, client

        pair = _tls("insi", settings, settings.insi_client_cert, settings.insi_client_key)
        manual, manual_http = await caller(pair, settings.insi_url, sender_of(settings.insi_client_cert, "INSI-MANU"))
        if settings.insi_auth == "psc":
            # Server TLS only: the assertion names the professional.
            plain = TlsFiles("insi-psc", settings.insi_ca)
            manual, _ = await caller(plain, settings.insi_psc_url or "", _assertion(settings))
        unattended, unattended_http = None, None
        if settings.insi_auto_cert is not None and settings.insi_auto_key is not None:
            pair = _tls("insi-auto", settings, settings.insi_auto_cert, settings.insi_auto_key)
            sender = sender_of(settings.insi_auto_cert, "INSI-AUTO")
            unattended, unattended_http = await caller(pair, settings.insi_url, sender)
        yield InsiClients(manual, manual_http, unattended, unattended_http)


def _tls(name: str, settings: InsSettings, certificate: Path, key: Path) -> TlsFiles:
    return TlsFiles(name, settings.insi_ca, certificate, key)


def _software(settings: InsSettings) -> Software:
    return Software(
        idam=settings.idam(), name=settings.lps_name, version=settings.lps_version, instance=settings.lps_instance
    )


def _assertion(settings: InsSettings) -> PscAssertion:
    return PscAssertion(
        issuer=settings.insi_psc_issuer or "",
        billing_number=settings.insi_billing_number or "",
        specialty=settings.insi_specialty,
    )
