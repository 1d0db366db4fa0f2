"""The intake of the service, from its settings: rules, listener, worker, routes, indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta, tzinfo

from navette_chassis import Service, UnitOfWork
from navette_chassis.blind_index import BlindIndex
from navette_chassis.mllp import LISTENING_MODES, Listener, MllpServer, mllp_listener
from navette_chassis.rounds import Rounds
from navette_chassis.service import Resource
from navette_chassis.tls import TlsFiles
from navette_chassis.watched_file import WatchedFile
from navette_documents.hl7v2 import Limits
from navette_documents.sites import Site

from navette_report.adapters.intake_listener import ReportIntake
from navette_report.adapters.intake_messages import CONTENTS, MESSAGES, Tokens
from navette_report.adapters.intake_worker import IntakeWorker
from navette_report.adapters.patients import PATIENTS
from navette_report.adapters.received_documents import CONTENTS as RECEIVED_CONTENTS
from navette_report.adapters.received_documents import DOCUMENTS
from navette_report.adapters.reports import REPORTS
from navette_report.api.intake import intake_routes
from navette_report.domain.intake.senders import Senders, load_senders
from navette_report.intake_settings import IntakeSettings
from navette_report.use_cases.compose_report import IdentityWatcher
from navette_report.use_cases.integrate_report_message import IntakeDesk
from navette_report.use_cases.receive_document import refile
from navette_report.use_cases.receive_report_message import IntakeRules


def intake_desk(
    service: Service, settings: IntakeSettings, sites: Mapping[str, Site], zone: tzinfo
) -> IntakeDesk | None:
    """What integrating works with; None without an index key.

    Raises SendersInvalid, ValueError or OSError for a file that cannot be used.
    """
    if settings.index_key is None:
        return None
    index = BlindIndex.from_file(settings.index_key)
    rules = IntakeRules(
        senders=WatchedFile[Senders](
            settings.intake_senders_file,
            lambda data: load_senders(data, sites),
            empty={},
            setting="intake_senders_file",
        ),
        tokens=Tokens(index),
        keyring=lambda: service.keyring,
        production=settings.environment == "production",
        keep=timedelta(days=settings.intake_keep_days),
        limits=Limits(message_bytes=settings.intake_max_message_bytes, segments=5_000),
    )
    return IntakeDesk(rules, index, sites, zone)


def declare_intake(service: Service, settings: IntakeSettings, desk: IntakeDesk | None) -> tuple[IdentityWatcher, ...]:
    """Declare listener, worker, routes and indexes of the intake, if there is one; who must hear of identities."""
    if desk is None:
        return ()
    rules = desk.rules
    worker = IntakeWorker(service, desk)
    rounds = Rounds(service, "intake", seconds=settings.intake_poll_seconds, work=worker.round)
    service.resource(rounds.running)
    intake = ReportIntake(
        service,
        rules,
        stored=rounds.soon,
        max_items=settings.intake_group_messages,
        max_bytes=settings.intake_group_bytes,
    )
    _listen(service, settings, intake)
    service.router(intake_routes(service, desk, soon=rounds.soon))
    _keep(service)

    async def released(uow: UnitOfWork, patient_id: str) -> None:
        tokens = await desk.keys(uow).follow(patient_id)
        if tokens and await rules.store(uow).release_awaiting(tokens):
            rounds.soon()
        if tokens:
            await refile(uow, desk.reception, tokens)

    return (released,)


def _listen(service: Service, settings: IntakeSettings, intake: ReportIntake) -> Resource[MllpServer | None]:
    @asynccontextmanager
    async def listening() -> AsyncIterator[MllpServer | None]:
        modes = LISTENING_MODES if settings.intake_port is not None else ()
        async with (
            intake.running(),
            mllp_listener(service, _listener(settings), intake, tls=_tls(settings), modes=modes) as server,
        ):
            yield server

    return service.resource(listening)


def _listener(settings: IntakeSettings) -> Listener:
    return Listener(
        "intake",
        host=settings.intake_host,
        port=settings.intake_port or 0,
        max_message_bytes=settings.intake_max_message_bytes,
        max_unframed_bytes=4 * settings.intake_max_message_bytes,
        max_connections=settings.intake_max_connections,
        idle_seconds=settings.intake_idle_seconds,
        message_seconds=settings.intake_message_seconds,
    )


def _tls(settings: IntakeSettings) -> TlsFiles | None:
    if settings.intake_cert is None:
        return None
    return TlsFiles("intake", settings.intake_ca, settings.intake_cert, settings.intake_key)


def _keep(service: Service) -> None:
    """Indexes. One message under one number is stored once, and one content of a number is accepted, whatever
    arrives at the same instant.
    """
    service.index(MESSAGES, [("key", 1), ("digest", 1)], unique=True)
    service.index(MESSAGES, "key", unique=True, partial={"ack_code": "AA"})
    service.index(MESSAGES, [("state", 1), ("_id", 1)])
    # A message has neither when it arrives: nothing is indexed while its sender waits for the answer.
    service.index(MESSAGES, [("awaits", 1), ("state", 1)], partial={"awaits": {"$exists": True}})
    service.index(MESSAGES, [("refers", 1), ("state", 1)], partial={"refers": {"$exists": True}})
    service.index(MESSAGES, [("site_id", 1), ("state", 1)])
    service.index(MESSAGES, "expires_at", ttl=timedelta(0))
    service.index(CONTENTS, [("message_id", 1), ("n", 1)])
    service.index(CONTENTS, "expires_at", ttl=timedelta(0))
    service.index(REPORTS, [("site_id", 1), ("accession_number", 1)])
    service.index(REPORTS, [("site_id", 1), ("placer_number", 1)])
    # One received document is kept once, whatever brings it at the same instant.
    service.index(DOCUMENTS, [("domain", 1), ("unique_id", 1), ("digest", 1)], unique=True)
    service.index(DOCUMENTS, [("replaces", 1), ("domain", 1)])
    service.index(DOCUMENTS, [("patient_id", 1), ("standing", 1)])
    service.index(DOCUMENTS, [("awaits", 1), ("standing", 1)])
    service.index(DOCUMENTS, [("standing", 1), ("domain", 1), ("_id", 1)])
    service.index(RECEIVED_CONTENTS, [("document_id", 1), ("part", 1), ("n", 1)])
    service.index(PATIENTS, "merged_into")
