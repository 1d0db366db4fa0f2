"""The HL7 v2 links of the service, from its settings: one listener, one channel per connected system."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from navette_chassis import Service
from navette_chassis.mllp import (
    LISTENING_MODES,
    Destination,
    DurableIntake,
    Listener,
    MllpServer,
    message_channel,
    mllp_client,
    mllp_listener,
)
from navette_chassis.service import Resource
from navette_chassis.tls import TlsFiles
from navette_chassis.watched_file import WatchedFile
from navette_documents.hl7v2 import Limits
from navette_documents.sites import Site

from navette_ins.adapters.ins_recipients import RECIPIENTS
from navette_ins.adapters.pam_intake import PamIntake
from navette_ins.adapters.pam_messages import MESSAGES
from navette_ins.api.pam import pam_routes
from navette_ins.domain.pam.destinations import ConnectedSystem, load_systems
from navette_ins.domain.pam.senders import Sender, load_senders
from navette_ins.pam_settings import PamSettings
from navette_ins.settings import InsSettings
from navette_ins.use_cases.confirm_received_ins import run_confirmation, settle_confirmation
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake
from navette_ins.use_cases.request_confirmation import CONFIRM_CHANNEL
from navette_ins.use_cases.tell_connected_systems import Outbound, send_pam_message, settle_pam_message
from navette_ins.use_cases.verification_desk import VerificationDesk
from navette_ins.verification_app import verification_channel


def outbound_of(service: Service, settings: PamSettings, sites: Mapping[str, Site]) -> Outbound:
    """The systems to tell. Raises ValueError or OSError for a file that cannot be used."""
    path = settings.pam_systems_file
    systems = () if path is None else load_systems(path.read_bytes())
    return Outbound(systems, sites, lambda: service.keyring, production=settings.environment == "production")


def declare_pam(
    service: Service, settings: InsSettings, verification: VerificationDesk, outbound: Outbound
) -> Resource[MllpServer | None]:
    """Declare listener, routes, channels and indexes; the listener, open while the service runs.

    Raises SendersInvalid, ValueError or OSError for a file of senders that cannot be used.
    """
    desk = verification.desk
    intake = Intake(
        senders=WatchedFile[Mapping[tuple[str, str], Sender]](
            settings.pam_senders_file,
            lambda data: load_senders(data, outbound.sites),
            empty={},
            setting="pam_senders_file",
        ),
        production=settings.environment == "production",
        keep=timedelta(days=settings.pam_keep_days),
        limits=Limits(message_bytes=settings.pam_max_message_bytes, segments=500, parts=500),
    )
    service.router(pam_routes(service, desk, intake))
    service.deliver(
        verification_channel(settings, CONFIRM_CHANNEL),
        attempt=run_confirmation(service, verification),
        settle=settle_confirmation(verification, intake),
    )
    for system in outbound.systems:
        _declare_channel(service, settings, desk, system)
    service.index(MESSAGES, [("key", 1), ("digest", 1)], unique=True)
    service.index(MESSAGES, [("state", 1), ("received_at", -1)])
    service.index(MESSAGES, [("subject", 1), ("received_at", -1)])
    service.index(MESSAGES, "expires_at", ttl=timedelta(0))
    service.index(RECIPIENTS, "patient_id")
    return service.resource(
        lambda: mllp_listener(
            service,
            _listener(settings),
            DurableIntake(service, PamIntake(desk, intake)),
            tls=_tls(settings),
            modes=LISTENING_MODES if settings.pam_port is not None else (),
        )
    )


def _declare_channel(service: Service, settings: PamSettings, desk: Desk, system: ConnectedSystem) -> None:
    client = service.resource(lambda: mllp_client(_destination(system)))
    channel = message_channel(
        system.channel,
        answer_seconds=system.answer_seconds,
        retry_first_seconds=settings.pam_retry_first_seconds,
    )
    service.deliver(
        channel,
        attempt=send_pam_message(client, desk.keyring),
        settle=settle_pam_message(system, desk.keyring),
    )


def _destination(system: ConnectedSystem) -> Destination:
    tls = None if system.ca is None else TlsFiles(system.channel, system.ca, system.cert, system.key)
    return Destination(system.channel, system.host, system.port, tls, answer_seconds=system.answer_seconds)


def _listener(settings: PamSettings) -> Listener:
    return Listener(
        "pam",
        host=settings.pam_host,
        port=settings.pam_port or 0,
        max_message_bytes=settings.pam_max_message_bytes,
        max_unframed_bytes=4 * settings.pam_max_message_bytes,
        max_connections=settings.pam_max_connections,
        idle_seconds=settings.pam_idle_seconds,
        message_seconds=settings.pam_message_seconds,
    )


def _tls(settings: PamSettings) -> TlsFiles | None:
    if settings.pam_cert is None:
        return None
    return TlsFiles("pam", settings.pam_ca, settings.pam_cert, settings.pam_key)
