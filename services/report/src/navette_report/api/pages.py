"""The journey as pages: one list, one report. No script is needed to read them; a small one refreshes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError
from navette_documents.sites import share_identities

from navette_report.adapters.patients import KnownPatient
from navette_report.api import french
from navette_report.api.access import CareTeam, PageViews, record, visible_report
from navette_report.api.worklists import Worklist
from navette_report.domain.acts import offered
from navette_report.domain.ins_datamatrix import NATURE
from navette_report.domain.journey import FAILURES, JourneyLine, LineState
from navette_report.domain.lifecycle import State
from navette_report.settings import ReportSettings
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.read_reports import (
    Followed,
    Wanted,
    follow_report,
    late_drafts,
    list_failed,
    list_reports,
    patients_of,
)

_ASSETS = {"journey.css": "text/css; charset=utf-8", "journey.js": "text/javascript; charset=utf-8"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MARKS = {
    LineState.WAITING: "◷",
    LineState.SCHEDULED: "→",
    LineState.SENT: "↗",
    LineState.DELIVERED: "✓",
    LineState.READ: "✓✓",
    LineState.REFUSED: "✕",
    LineState.FAILED: "!",
    LineState.CANCELLED: "–",
}
_STEPS = (LineState.SCHEDULED, LineState.SENT, LineState.DELIVERED, LineState.READ)


@dataclass(frozen=True, slots=True)
class _PatientView:
    name: str
    birth: str
    qualified: bool
    nature: str


def page_routes(service: Service, desk: Desk, settings: ReportSettings) -> APIRouter:
    """`/pages/journey`, `/pages/reports/{id}` and their two assets."""
    router = APIRouter(prefix="/pages", tags=["pages"])
    views = PageViews()
    environment = Environment(loader=PackageLoader("navette_report.api"), autoescape=True, undefined=StrictUndefined)
    environment.globals.update(fr=french, marks=_MARKS, steps=_STEPS, failures=FAILURES, LineState=LineState)

    def page(template: str, **values: object) -> HTMLResponse:
        html = environment.get_template(template).render(zone=desk.zone, **values)
        return HTMLResponse(html, headers=_HEADERS)

    @router.get("/journey", response_class=HTMLResponse)
    async def journey(
        caller: CareTeam,
        state: State | None = None,
        worklist: Worklist | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> HTMLResponse:
        found = await _listed(service, caller, state, worklist, limit)
        overdue = service.clock.now() - timedelta(hours=settings.reminder_hours)
        if views.is_new(caller, "journey", service.clock.now()):
            await record(service, caller, "journey.list", "page", "journey", None, granted=True)
        patients = await _views(service, desk, found)
        return page(
            "journey.html",
            followed=found,
            patients=patients,
            sites=desk.sites,
            state=state,
            worklist=worklist,
            worklists=Worklist,
            late=await late_drafts(service.database, caller.sites, before=overdue),
            reminder_hours=settings.reminder_hours,
            states=[one for one in State if one is not State.SIGNED],
            blocked=sum(any(_needs_somebody(line) for line in one.lines) for one in found),
        )

    @router.get("/reports/{report_id}", response_class=HTMLResponse)
    async def one_report(caller: CareTeam, report_id: str) -> HTMLResponse:
        report = await visible_report(service, caller, report_id, "journey.read", views=views)
        followed = await follow_report(service.database, report)
        patients = await _views(service, desk, [followed])
        return page(
            "report.html",
            one=followed,
            offers=offered(report),
            patient=patients[report.report_id],
            site=desk.sites.get(report.site_id),
        )

    @router.get("/assets/{name}", dependencies=[require()])
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise ProblemError.not_found()
        content = (files("navette_report.api") / "static" / name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=300"})

    return router


async def _listed(
    service: Service, caller: Principal, state: State | None, worklist: Worklist | None, limit: int
) -> list[Followed]:
    if worklist is Worklist.FAILED:
        return await list_failed(service.database, caller.sites, limit=limit)
    wanted = Wanted(state=state, worklist=None if worklist is None else worklist.value)
    return await list_reports(service.database, caller.sites, wanted=wanted, limit=limit)


def _needs_somebody(line: JourneyLine) -> bool:
    return bool(french.WHO[line.shown.who_must_act])


async def _views(service: Service, desk: Desk, found: list[Followed]) -> dict[str, _PatientView]:
    """Who each report is about, by report id. A page names nobody of another identity domain."""
    known = await patients_of(service.database, {one.report.patient_id for one in found}, desk.keyring)
    return {one.report.report_id: _view(known.get(one.report.patient_id), desk, one.report.site_id) for one in found}


def _view(known: KnownPatient | None, desk: Desk, site_id: str) -> _PatientView:
    if known is None or known.identity is None:
        return _PatientView("Identité pas encore reçue", "", qualified=False, nature="")
    identity = known.identity
    if not share_identities(desk.sites, identity.site_id, site_id):
        return _PatientView("Patient d’un autre établissement", "", qualified=False, nature="")
    traits = identity.traits
    return _PatientView(
        name=f"{traits.birth_name} {traits.first_birth_given_name}",
        birth=french.day(traits.birth_date),
        qualified=identity.qualified,
        nature=NATURE.get(identity.ins.oid, "INS") if identity.qualified and identity.ins else "",
    )
