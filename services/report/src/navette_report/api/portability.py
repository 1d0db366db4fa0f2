"""`GET /portability.zip`: the documents of a professional, for whoever changes software (PORT.01)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_documents.errors import InvalidValue
from navette_documents.identifiers import parse_rpps

from navette_report.adapters.portability import archive, documents_to_export
from navette_report.api.access import record
from navette_report.api.field_rules import invalid
from navette_report.domain.fields import Day
from navette_report.domain.portability import Exported, Request
from navette_report.settings import ReportSettings
from navette_report.use_cases.compose_report import Desk

Administrator = Annotated[Principal, require("administrator")]


def portability_routes(service: Service, desk: Desk, settings: ReportSettings) -> APIRouter:
    """The one route."""
    router = APIRouter(tags=["portability"])

    @router.get("/portability.zip", response_class=StreamingResponse)
    async def export(
        caller: Administrator,
        rpps: Annotated[str, Query(description="RPPS du professionnel")],
        since: Annotated[Day | None, Query(description="Premier jour, inclus")] = None,
        until: Annotated[Day | None, Query(description="Dernier jour, inclus")] = None,
    ) -> StreamingResponse:
        """An archive that was interrupted lacks its end, and no program opens it."""
        last = until or service.clock.now().astimezone(desk.zone).date()
        first = since or last - timedelta(days=settings.portability_days)
        request = _request(caller, desk, rpps, first, last)
        await record(service, caller, "portability.export", "professional", request.rpps, None, granted=True)
        found = _audited(service, caller, documents_to_export(service.database, request))
        return StreamingResponse(
            archive(service.database, request, found, made_at=service.clock.now().astimezone(UTC)),
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="portabilite-{request.rpps}.zip"',
                "Cache-Control": "no-store",
            },
        )

    return router


def _request(caller: Principal, desk: Desk, rpps: str, first: date, last: date) -> Request:
    try:
        known = parse_rpps(rpps)
    except InvalidValue as refused:
        raise invalid("rpps", str(refused)) from None
    if last < first:
        raise invalid("until", "before_since")
    return Request(
        rpps=known,
        start=datetime.combine(first, time(), desk.zone),
        end=datetime.combine(last + timedelta(days=1), time(), desk.zone),
        sites={site_id: site for site_id, site in desk.sites.items() if caller.may_act_for(site_id)},
    )


async def _audited(service: Service, caller: Principal, found: AsyncIterator[Exported]) -> AsyncIterator[Exported]:
    """Each document is told to the audit stream before it leaves."""

    async def write(uow: UnitOfWork, one: Exported) -> None:
        document_id = one.edition.reference.document_id
        await uow.record_access(
            caller.subject, "document.export", "document", document_id, one.report.site_id, "granted"
        )

    async for one in found:
        await service.transact(write, one)
        yield one
