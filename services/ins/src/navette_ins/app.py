"""The ins service on one page: the delivery channel, the routes, what is kept."""

from __future__ import annotations

from datetime import timedelta

from navette_chassis import Clock, Service
from navette_chassis.deliveries import BreakerPolicy, Channel, RetryPolicy
from navette_documents.sites import load_sites

from navette_ins.adapters.history import HISTORY
from navette_ins.adapters.identities import IDENTITIES, BlindIndex
from navette_ins.adapters.imports import REJECTS
from navette_ins.adapters.insi_clients import check_certificates, insi_clients
from navette_ins.adapters.searches import EXCHANGES, SEARCHES
from navette_ins.api.insi import insi_routes
from navette_ins.api.patients import patient_routes
from navette_ins.api.prior_search import datamatrix_routes, prior_search_routes
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk, InsiRules
from navette_ins.use_cases.request_insi_search import CHANNEL
from navette_ins.use_cases.run_insi_search import run_insi_search
from navette_ins.use_cases.settle_insi_search import settle_insi_search


def create_service(settings: InsSettings, *, clock: Clock | None = None) -> Service:
    """The service, declared and not started. Raises CertificateUnfit, ValueError or OSError for unusable files."""
    return declare(settings, clock=clock)[0]


def declare(settings: InsSettings, *, clock: Clock | None = None) -> tuple[Service, Desk]:
    """The service and what its use cases work with, for commands that run use cases without routes."""
    service = Service(settings, name=settings.service_name, clock=clock)
    check_certificates(settings)
    clients = service.resource(lambda: insi_clients(settings, service.clock))
    desk = Desk(
        keyring=lambda: service.keyring,
        index=BlindIndex(settings.blind_index_key()),
        insi=lambda: clients().manual,
        rules=InsiRules(
            needs_professional=settings.insi_auth == "psc",
            card_assertion_required=settings.insi_card_assertion == "reader",
        ),
    )
    sites = frozenset(load_sites(settings.sites_file.read_bytes())) if settings.sites_file else frozenset()

    # INSi
    service.deliver(_channel(settings), attempt=run_insi_search(service, desk), settle=settle_insi_search(desk))

    # Routes
    service.router(patient_routes(service, desk, sites))
    service.router(insi_routes(service, desk))
    service.router(prior_search_routes(service, desk))
    service.router(datamatrix_routes(service, desk))

    # What is kept
    # Two active records with one matricule are impossible, whatever two people do at the same instant.
    service.index(IDENTITIES, "ins_index", unique=True, partial={"ins_index": {"$exists": True}})
    service.index(IDENTITIES, [("search", 1), ("site_id", 1)])
    service.index(HISTORY, "patient_id")
    service.index(SEARCHES, [("patient_id", 1), ("state", 1)])
    service.index(SEARCHES, [("traits_key", 1), ("requested_at", 1)])
    service.index(EXCHANGES, "search_id")
    service.index(REJECTS, "import_id")
    service.index(EXCHANGES, [("patient_id", 1), ("code", 1)])
    return service, desk


def _channel(settings: InsSettings) -> Channel:
    return Channel(
        CHANNEL,
        endpoint="insi",
        max_in_flight=settings.insi_max_in_flight,
        retry=RetryPolicy(first=timedelta(seconds=settings.insi_retry_first_seconds)),
        # A second call after two seconds belongs to the attempt; then an endpoint that is down is left in peace.
        breaker=BreakerPolicy(
            failures=settings.insi_breaker_failures,
            probe_after_seconds=settings.insi_breaker_open_seconds,
            probe_cap_seconds=settings.insi_breaker_open_seconds,
        ),
    )
