"""The ins service on one page: the delivery channel, the routes, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from navette_chassis import Clock, Service
from navette_chassis.deliveries import Channel, RetryPolicy
from navette_documents.sites import load_sites

from navette_ins.adapters.app_readings import AppReaders
from navette_ins.adapters.cases import CASES, WAITING
from navette_ins.adapters.cog import known_places, load_places
from navette_ins.adapters.history import HISTORY
from navette_ins.adapters.identities import IDENTITIES, BlindIndex
from navette_ins.adapters.imports import REJECTS
from navette_ins.adapters.insi_clients import InsiClients, check_certificates, insi_clients
from navette_ins.adapters.pam_links import declare_pam, outbound_of
from navette_ins.adapters.searches import EXCHANGES, SEARCHES
from navette_ins.adapters.venues import VENUES
from navette_ins.adapters.verifications import follow_verification
from navette_ins.api.certificates import certificate_routes
from navette_ins.api.routers import api_router
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk, InsiRules
from navette_ins.use_cases.request_insi_search import CHANNEL
from navette_ins.use_cases.run_insi_search import run_insi_search
from navette_ins.use_cases.settle_insi_search import settle_insi_search
from navette_ins.use_cases.tell_connected_systems import Outbound, tell_connected_systems
from navette_ins.use_cases.watch_look_alikes import watch_look_alikes
from navette_ins.verification_app import declare_verification, insi_breaker, verification_desk


def create_service(settings: InsSettings, *, clock: Clock | None = None) -> Service:
    """The service, declared and not started. Raises CertificateUnfit, ValueError or OSError for unusable files."""
    return declare(settings, clock=clock)[0]


def declare(settings: InsSettings, *, clock: Clock | None = None) -> tuple[Service, Desk]:
    """The service and what its use cases work with, for commands that run use cases without routes."""
    service = Service(settings, name=settings.service_name, clock=clock)
    check_certificates(settings)
    clients = service.resource(lambda: insi_clients(settings, service.clock))
    known_sites = load_sites(settings.sites_file.read_bytes()) if settings.sites_file else {}
    outbound = outbound_of(service, settings, known_sites)
    desk = _desk(service, settings, clients, outbound)

    # INSi
    service.deliver(_channel(settings), attempt=run_insi_search(service, desk), settle=settle_insi_search(desk))

    # Verification of what is held
    vdesk = verification_desk(desk, settings, clients)
    verification = declare_verification(service, vdesk, settings)

    # HL7 v2
    declare_pam(service, settings, vdesk, outbound)

    # Routes
    certificates = certificate_routes(service, desk, clients, _certificate_files(settings))
    service.router(
        api_router(service, desk, known_sites, AppReaders(settings.app_readers_file), verification, certificates)
    )

    # What is kept
    # Two active records with one matricule are impossible, whatever two people do at the same instant.
    service.index(IDENTITIES, "ins_index", unique=True, partial={"ins_index": {"$exists": True}})
    service.index(IDENTITIES, [("search", 1), ("site_id", 1)])
    service.index(IDENTITIES, [("attributes", 1), ("site_id", 1)])
    service.index(HISTORY, "patient_id")
    service.index(VENUES, [("site_id", 1), ("day", 1)])
    service.index(VENUES, "patient_id")
    service.index(CASES, "open_key", unique=True, partial={"open_key": {"$exists": True}})
    service.index(CASES, "key")
    service.index(CASES, [(WAITING, 1), ("opened_at", 1)])
    service.index(CASES, "patient_ids")
    service.index(SEARCHES, [("site_id", 1), ("state", 1)])
    service.index(SEARCHES, [("patient_id", 1), ("state", 1)])
    service.index(SEARCHES, [("traits_key", 1), ("requested_at", 1)])
    service.index(EXCHANGES, "search_id")
    service.index(REJECTS, "import_id")
    service.index(EXCHANGES, [("patient_id", 1), ("code", 1)])
    return service, desk


def _desk(service: Service, settings: InsSettings, clients: Callable[[], InsiClients], outbound: Outbound) -> Desk:
    index = BlindIndex(settings.blind_index_key())
    return Desk(
        keyring=lambda: service.keyring,
        index=index,
        insi=lambda: clients().manual,
        rules=InsiRules(
            needs_professional=settings.insi_auth == "psc",
            card_assertion_required=settings.insi_card_assertion == "reader",
            verifies_received=settings.insi_verification != "none",
        ),
        policy=settings.policy(),
        knows_place=known_places() if settings.cog_file is None else load_places(settings.cog_file),
        time_zone=ZoneInfo(settings.time_zone),
        watchers=(
            watch_look_alikes(lambda: service.keyring, index),
            follow_verification,
            tell_connected_systems(outbound),
        ),
    )


def _channel(settings: InsSettings) -> Channel:
    return Channel(
        CHANNEL,
        endpoint="insi",
        max_in_flight=settings.insi_max_in_flight,
        retry=RetryPolicy(first=timedelta(seconds=settings.insi_retry_first_seconds)),
        # A second call after two seconds belongs to the attempt; then an endpoint that is down is left in peace.
        breaker=insi_breaker(settings),
    )


def _certificate_files(settings: InsSettings) -> dict[str, Path]:
    files = {"unattended": settings.insi_auto_cert}
    if settings.insi_auth == "certificate":
        files["manual"] = settings.insi_client_cert
    return {use: file for use, file in files.items() if file is not None}
