"""The report service on one page: what it reacts to, what it offers, what it keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

from navette_chassis import Clock, Service
from navette_contracts.events import (
    DmpPublished,
    DmpRejected,
    DmpVisibilityChanged,
    DmpWithdrawn,
    MssDelivered,
    MssFailed,
    MssRead,
    MssSent,
    PatientIdentified,
    PatientMerged,
    ReportAnnounced,
    ReportSigned,
)
from navette_documents.sites import load_sites

from navette_report.adapters.ans_kit import AnsKit
from navette_report.adapters.documents import CHUNKS, FILES
from navette_report.adapters.intake_links import declare_intake, intake_desk
from navette_report.adapters.journeys import LINES
from navette_report.adapters.pfi_links import declare_platforms
from navette_report.adapters.reports import FAILED, REPORTS
from navette_report.adapters.workshop import Workshop
from navette_report.api.act_pages import act_page_routes
from navette_report.api.activity import activity_routes
from navette_report.api.acts import act_routes
from navette_report.api.field_rules import FIELD_RULES
from navette_report.api.intake_pages import intake_page_routes
from navette_report.api.internal import internal_routes
from navette_report.api.live import live_routes
from navette_report.api.models import model_routes
from navette_report.api.pages import page_routes
from navette_report.api.portability import portability_routes
from navette_report.api.receipt_pages import receipt_page_routes
from navette_report.api.received import received_routes
from navette_report.api.received_pages import received_page_routes
from navette_report.api.recomposition import recomposition_routes
from navette_report.api.reports import report_routes
from navette_report.api.worklists import worklist_routes
from navette_report.domain.models import ModelBook, load_models
from navette_report.settings import ReportSettings
from navette_report.use_cases import fold_outcomes
from navette_report.use_cases.compose_report import Desk, compose_announced_report, compose_signed_report
from navette_report.use_cases.follow_identities import project_identity, record_merge
from navette_report.use_cases.send_to_platforms import Outputs


def create_service(settings: ReportSettings, *, clock: Clock | None = None) -> Service:
    """The service, declared and not started. Raises OSError or ValidationError for an unusable sites file,
    KitUnusable for a conformance kit that cannot run."""
    service = Service(settings, name=settings.service_name, clock=clock)

    kit = None if settings.ans_kit_dir is None else AnsKit(settings.ans_kit_dir)

    @asynccontextmanager
    async def open_workshop() -> AsyncIterator[Workshop]:
        async with Workshop(
            notice=settings.document_notice,
            production=settings.environment == "production",
            threads=settings.compose_threads,
            kit=kit,
        ) as workshop:
            yield workshop

    sites = load_sites(settings.required_sites_file().read_bytes())
    zone = ZoneInfo(settings.timezone)
    intake = intake_desk(service, settings, sites, zone)
    desk = Desk(
        workshop=service.resource(open_workshop),
        sites=sites,
        keyring=lambda: service.keyring,
        zone=zone,
        keeps_documents=intake is not None,
        watchers=declare_intake(service, settings, intake),
        models=load_models(settings.report_models_file.read_bytes()) if settings.report_models_file else ModelBook(),
        outputs=Outputs(settings.distribution(), production=settings.environment == "production"),
    )

    _follow(service, desk)

    # HL7 v2 to platforms
    declare_platforms(service, settings, desk.outputs)

    # Routes
    service.words(FIELD_RULES)
    service.router(report_routes(service, desk))
    service.router(act_routes(service, desk))
    service.router(activity_routes(service, desk))
    service.router(model_routes(desk))
    service.router(portability_routes(service, desk, settings))
    service.router(recomposition_routes(service, desk))
    service.router(internal_routes(service))
    service.router(live_routes(service))
    service.router(worklist_routes(service, settings))
    service.router(act_page_routes(service, desk))
    service.router(page_routes(service, desk, settings))
    service.router(receipt_page_routes(service, desk, kept_for=timedelta(days=settings.pfi_keep_days)))
    if intake is not None:
        service.takes_documents("/intake/reports", "/received-documents")
        service.router(received_routes(service, intake.reception))
        service.router(received_page_routes(service, desk, intake.reception))
        service.router(intake_page_routes(service, desk, intake))

    _keep(service)
    return service


def _follow(service: Service, desk: Desk) -> None:
    """Events."""
    service.on(PatientIdentified, name="project_identity")(project_identity(desk))
    service.on(PatientMerged, name="record_merge")(record_merge(desk))
    service.on(ReportSigned, name="compose_signed_report")(compose_signed_report(desk))
    service.on(ReportAnnounced, name="compose_announced_report")(compose_announced_report(desk))
    service.on(DmpPublished)(fold_outcomes.fold_dmp_published)
    service.on(DmpRejected, name="fold_dmp_rejected")(fold_outcomes.fold_dmp_rejected(desk))
    service.on(DmpWithdrawn)(fold_outcomes.fold_dmp_withdrawn)
    service.on(DmpVisibilityChanged)(fold_outcomes.fold_dmp_visibility)
    service.on(MssSent)(fold_outcomes.fold_mss_sent)
    service.on(MssDelivered)(fold_outcomes.fold_mss_delivered)
    service.on(MssRead)(fold_outcomes.fold_mss_read)
    service.on(MssFailed)(fold_outcomes.fold_mss_failed)


def _keep(service: Service) -> None:
    """Indexes of what is kept."""
    # Lists of reports, in the order they are shown in.
    shown = [("site_id", 1), ("updated_at", -1), ("_id", -1)]
    service.index(REPORTS, shown)
    service.index(REPORTS, [("worklists", 1), *shown])
    service.index(REPORTS, [(FAILED, 1), *shown])
    service.index(REPORTS, [("patient_id", 1), ("awaits_identity", 1)])
    service.index(LINES, [("report_id", 1), ("version", 1)])
    service.index(REPORTS, [("signatures.rpps", 1), ("site_id", 1)])
    service.index(LINES, [("done_at", 1)])
    service.index(LINES, [("failed_at", 1)])
    service.index(CHUNKS, [("files_id", 1), ("n", 1)], unique=True)
    service.index(FILES, [("filename", 1), ("uploadDate", 1)])
