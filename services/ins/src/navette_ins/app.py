"""The ins service on one page: the delivery channel, the routes, what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from navette_chassis import Clock, Service
from navette_chassis.deliveries import Channel, RetryPolicy
from navette_chassis.tls import ReloadingTransport, TlsFiles, watch_expiry
from navette_documents.sites import load_sites

from navette_ins.adapters.identities import HISTORY, IDENTITIES, BlindIndex
from navette_ins.adapters.insi_soap import InsiSoap, sender_of
from navette_ins.adapters.searches import EXCHANGES, SEARCHES
from navette_ins.api.patients import insi_routes, patient_routes
from navette_ins.domain.insi.request import Software
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.request_insi_search import CHANNEL
from navette_ins.use_cases.run_insi_search import run_insi_search
from navette_ins.use_cases.settle_insi_search import settle_insi_search


def create_service(settings: InsSettings, *, clock: Clock | None = None) -> Service:
    """The service, declared and not started. Raises CertificateUnfit, ValueError or OSError for unusable files."""
    service = Service(settings, name=settings.service_name, clock=clock)
    sender = sender_of(settings.insi_client_cert)
    desk = Desk(
        keyring=lambda: service.keyring,
        index=BlindIndex(settings.blind_index_key()),
        insi=service.resource(lambda: _insi(service, settings, sender)),
    )
    sites = frozenset(load_sites(settings.sites_file.read_bytes())) if settings.sites_file else frozenset()

    # INSi
    service.deliver(_channel(settings), attempt=run_insi_search(service, desk), settle=settle_insi_search(desk))

    # Routes
    service.router(patient_routes(service, desk, sites))
    service.router(insi_routes(service, desk))

    # What is kept
    service.index(IDENTITIES, "ins_index", partial={"ins_index": {"$exists": True}})
    service.index(HISTORY, "patient_id")
    service.index(SEARCHES, [("patient_id", 1), ("state", 1)])
    service.index(SEARCHES, [("traits_key", 1), ("requested_at", 1)])
    service.index(EXCHANGES, "search_id")
    return service


def _channel(settings: InsSettings) -> Channel:
    return Channel(
        CHANNEL,
        endpoint="insi",
        max_in_flight=settings.insi_max_in_flight,
        retry=RetryPolicy(first=timedelta(seconds=settings.insi_retry_first_seconds)),
    )


@asynccontextmanager
async def _insi(service: Service, settings: InsSettings, sender: str) -> AsyncIterator[InsiSoap]:
    tls = TlsFiles("insi", settings.insi_ca, settings.insi_client_cert, settings.insi_client_key)
    watch_expiry(tls, service.clock.now)
    software = Software(
        idam=settings.idam(),
        name=settings.lps_name,
        version=settings.lps_version,
        instance=settings.lps_instance,
        sender=sender,
    )
    timeout = httpx.Timeout(settings.insi_read_seconds, connect=settings.insi_connect_seconds)
    async with httpx.AsyncClient(transport=ReloadingTransport(tls), timeout=timeout, trust_env=False) as client:
        yield InsiSoap(client, url=settings.insi_url, software=software, clock=service.clock)
