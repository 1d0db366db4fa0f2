"""Every event handler, delivery channel and route of the service dmp, on one page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from navette_chassis import Service
from navette_chassis.deliveries import BreakerPolicy, Channel, Delivery, Outcome, RetryPolicy
from navette_chassis.tls import ReloadingTransport, TlsFiles, watch_expiry
from navette_contracts.events import ReportComposed, ReportWithdrawn
from navette_documents.codes import CLASS_IMAGING, CLASS_REPORT
from navette_documents.sites import load_sites

from navette_dmp.adapters.dmp_soap import SoapDmp
from navette_dmp.adapters.publications import MongoPublications
from navette_dmp.adapters.report_documents import ReportDocuments
from navette_dmp.adapters.seal_files import SealFiles
from navette_dmp.api.publications import publications_router
from navette_dmp.domain.submission import SubmissionRules
from navette_dmp.domain.vihf import Software, VihfProfile
from navette_dmp.settings import DmpSettings
from navette_dmp.use_cases.publish_document import PublishDocument
from navette_dmp.use_cases.refuse_replay import refuse_replay
from navette_dmp.use_cases.schedule_publication import CHANNEL, PUBLICATIONS, schedule_publication
from navette_dmp.use_cases.schedule_withdrawal import WITHDRAWALS, schedule_withdrawal
from navette_dmp.use_cases.settle_publication import settle_publication
from navette_dmp.use_cases.settle_withdrawal import settle_withdrawal
from navette_dmp.use_cases.withdraw_document import WithdrawDocument


def create_service(settings: DmpSettings) -> Service:
    """The service, ready to start; the settings have checked its certificates and sites."""
    service = Service(settings, name="dmp")
    publications = MongoPublications(lambda: service.database)
    publisher = service.resource(lambda: _publisher(service, settings, publications))

    async def attempt(delivery: Delivery) -> Outcome:
        return await publisher()(delivery)

    async def withdraw(delivery: Delivery) -> Outcome:
        return await WithdrawDocument(publisher())(delivery)

    service.index(PUBLICATIONS, "report_id")
    service.on(ReportComposed, ordered=True)(schedule_publication)
    service.on(ReportWithdrawn, ordered=True)(schedule_withdrawal)
    service.deliver(_channel(settings, CHANNEL), attempt=attempt, settle=settle_publication, obsolete=refuse_replay)
    service.deliver(_channel(settings, WITHDRAWALS), attempt=withdraw, settle=settle_withdrawal)
    service.router(publications_router(publications))
    return service


def _channel(settings: DmpSettings, name: str) -> Channel:
    first = timedelta(seconds=settings.dmp_first_retry_seconds)
    return Channel(
        name,
        endpoint="dmp",
        max_in_flight=settings.dmp_max_in_flight,
        rate_per_second=settings.dmp_rate_per_second,
        retry=RetryPolicy(first=first, query_first=min(first, RetryPolicy().query_first)),
        breaker=BreakerPolicy(probe_after_seconds=settings.dmp_probe_seconds),
    )


@asynccontextmanager
async def _publisher(
    service: Service, settings: DmpSettings, publications: MongoPublications
) -> AsyncIterator[PublishDocument]:
    """What an attempt needs, with the connections to the DMP and to report open."""
    tls = TlsFiles("dmp-auth", settings.dmp_ca, settings.dmp_auth_cert, settings.dmp_auth_key)
    for files in (tls, TlsFiles("dmp-sign", None, settings.dmp_sign_cert, settings.dmp_sign_key)):
        watch_expiry(files, service.clock.now)
    timeout = httpx.Timeout(settings.dmp_read_seconds, connect=settings.dmp_connect_seconds)
    async with httpx.AsyncClient(transport=ReloadingTransport(tls), timeout=timeout, trust_env=False) as dmp_client:
        yield PublishDocument(
            documents=ReportDocuments(service.client("report"), max_bytes=settings.dmp_max_document_bytes),
            dmp=SoapDmp(dmp_client, base_url=settings.dmp_url, profile=_profile(settings), clock=service.clock),
            seals=SealFiles(settings.dmp_sign_cert, settings.dmp_sign_key, service.clock),
            publications=publications,
            sites=load_sites(settings.sites_file.read_bytes()),
            rules=_rules(settings),
            clock=service.clock,
        )


def _profile(settings: DmpSettings) -> VihfProfile:
    software = Software(
        name=settings.dmp_software_name,
        version=settings.dmp_software_version,
        homologation=settings.dmp_homologation_file.read_text(encoding="utf-8").strip(),
        installation_id=settings.dmp_installation_id,
    )
    return VihfProfile(
        software=software,
        version=settings.dmp_vihf_version,
        mode_attribute=settings.dmp_vihf_mode_attribute,
        authn_context=settings.dmp_authn_context,
    )


def _rules(settings: DmpSettings) -> SubmissionRules:
    return SubmissionRules(
        source_id=settings.dmp_source_id,
        production=settings.environment == "production",
        max_document_bytes=settings.dmp_max_document_bytes,
        class_code=CLASS_IMAGING if settings.dmp_class_code == "31" else CLASS_REPORT,
        structure=settings.dmp_structure,
        lot_digest=settings.lot_digest,
        secret_connection=settings.dmp_secret_connection,
    )
