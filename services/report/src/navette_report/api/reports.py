"""REST API of reports (through the gateway of psc-auth)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.problem import ProblemError

from navette_report.adapters import documents
from navette_report.api import field_rules
from navette_report.api.access import CareTeam, record, visible_report
from navette_report.api.listing import After, Searched, next_link
from navette_report.api.schemas import (
    FullReportAnswer,
    JourneyAnswer,
    NewReport,
    ReportAnswer,
    ReportList,
)
from navette_report.api.unchanged import etag
from navette_report.domain.identity import IdentityGap
from navette_report.domain.lifecycle import State
from navette_report.domain.report import Report
from navette_report.use_cases.admit_patient import PatientRefused, admit_patient
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.draft_report import draft_report
from navette_report.use_cases.read_reports import follow_report, list_reports
from navette_report.use_cases.show_withdrawn import show_withdrawn


def report_routes(service: Service, desk: Desk) -> APIRouter:
    """Draft, read, list, follow."""
    router = APIRouter(prefix="/reports", tags=["reports"])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def create_draft(caller: CareTeam, body: NewReport, response: Response) -> ReportAnswer:
        caller.require_site(body.site_id)
        if body.site_id not in desk.sites:
            raise field_rules.invalid("site_id", "unknown_site")
        model = None
        if body.model is not None and (model := desk.models.find(body.site_id, body.model)) is None:
            raise field_rules.invalid("model", "unknown_model")

        async def work(uow: UnitOfWork) -> Report:
            await admit_patient(uow, desk, patient_id=body.patient_id, site_id=body.site_id, actor=caller.subject)
            return await draft_report(
                uow,
                patient_id=body.patient_id,
                site_id=body.site_id,
                content=body.content,
                author=caller.subject,
                model=model,
            )

        try:
            report = await service.transact(work)
        except PatientRefused as refused:
            if refused.gap is IdentityGap.ELSEWHERE:
                await record(service, caller, "report.draft", "patient", body.patient_id, body.site_id, granted=False)
            seen = refused.home is None or caller.may_act_for(refused.home)
            raise field_rules.patient_refused(refused.gap if seen else IdentityGap.UNKNOWN) from None
        response.headers["Location"] = f"/reports/{report.report_id}"
        response.headers["ETag"] = etag(report)
        return ReportAnswer.of(report)

    @router.get("")
    async def read_list(
        request: Request,
        caller: CareTeam,
        search: Searched,
        after: After,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ReportList:
        wanted = search.wanted(desk.zone)
        page = await list_reports(service.database, caller.sites, wanted=wanted, limit=limit, after=after)
        return ReportList(reports=[JourneyAnswer.of(one) for one in page.followed], next=next_link(request, page.next))

    _reading_routes(router, service, desk)
    return router


def _reading_routes(router: APIRouter, service: Service, desk: Desk) -> None:
    @router.get("/{report_id}")
    async def read_one(caller: CareTeam, report_id: str, response: Response) -> FullReportAnswer:
        report = await visible_report(service, caller, report_id, "report.read")
        response.headers["ETag"] = etag(report)
        return FullReportAnswer.of(report)

    @router.get("/{report_id}/journey")
    async def read_journey(caller: CareTeam, report_id: str) -> JourneyAnswer:
        report = await visible_report(service, caller, report_id, "journey.read")
        return JourneyAnswer.of(await follow_report(service.database, report))

    @router.get("/{report_id}/document.pdf", response_class=Response)
    async def read_pdf(caller: CareTeam, report_id: str) -> Response:
        report = await visible_report(service, caller, report_id, "document.read")
        version = report.validated
        if version is None or not version.editions:
            raise ProblemError.not_found("Le document de ce compte rendu n'est pas encore composé.")
        if version.state is State.WITHDRAWN:
            shown = await service.transact(show_withdrawn, desk, report=report)
            if shown is None:
                raise ProblemError.not_found("Ce compte rendu a été retiré : son document n'est plus affiché.")
            content = shown
        else:
            document_id = version.editions[-1].reference.document_id
            content = await documents.read(service.database, document_id, documents.Form.PDF)
        return Response(
            content,
            media_type="application/pdf",
            headers={
                "Content-Disposition": 'inline; filename="compte-rendu.pdf"',
                "Cache-Control": "no-store",
            },
        )
