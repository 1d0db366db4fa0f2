"""The journey as pages: one list, one report. No script is needed to read them; a small one refreshes them."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError

from navette_report.api import french
from navette_report.api.access import CareTeam, PageViews, record, visible_report
from navette_report.api.act_pages import offers_for
from navette_report.api.intake_access import count_open_messages
from navette_report.api.listing import BLANK, After, Searched, first_link, next_link
from navette_report.api.rendering import Renderer
from navette_report.api.worklists import Worklist
from navette_report.domain.acts import offered
from navette_report.domain.journey import JourneyLine
from navette_report.domain.lifecycle import State
from navette_report.settings import ReportSettings
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.read_reports import follow_report, late_drafts, list_reports

_ASSETS = {"journey.css": "text/css; charset=utf-8", "journey.js": "text/javascript; charset=utf-8"}


def page_routes(service: Service, desk: Desk, settings: ReportSettings) -> APIRouter:
    """`/pages/journey`, `/pages/reports/{id}` and their two assets."""
    router = APIRouter(prefix="/pages", tags=["pages"])
    views = PageViews()
    render = Renderer(service, desk)

    @router.get("/journey", response_class=HTMLResponse)
    async def journey(
        request: Request,
        caller: CareTeam,
        search: Searched,
        after: After,
        worklist: Annotated[Worklist | None, BLANK] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> HTMLResponse:
        wanted = search.wanted(desk.zone, None if worklist is None else worklist.value)
        page = await list_reports(service.database, caller.sites, wanted=wanted, limit=limit, after=after)
        found = page.followed
        overdue = service.clock.now() - timedelta(hours=settings.reminder_hours)
        if views.is_new(caller, "journey", service.clock.now()):
            await record(service, caller, "journey.list", "page", "journey", None, granted=True)
        patients = await render.patients(found)
        return render.page(
            "journey.html",
            followed=found,
            patients=patients,
            sites=desk.sites,
            own_sites=[site for site_id, site in sorted(desk.sites.items()) if caller.may_act_for(site_id)],
            search=search,
            worklist=worklist,
            next=next_link(request, page.next),
            first=None if after is None else first_link(request),
            worklists=Worklist,
            late=await late_drafts(service.database, caller.sites, before=overdue),
            reminder_hours=settings.reminder_hours,
            states=[one for one in State if one is not State.SIGNED],
            received=await _received(service, caller, settings),
            blocked=sum(any(_needs_somebody(line) for line in one.lines) for one in found),
        )

    @router.get("/reports/{report_id}", response_class=HTMLResponse)
    async def one_report(caller: CareTeam, report_id: str) -> HTMLResponse:
        report = await visible_report(service, caller, report_id, "journey.read", views=views)
        followed = await follow_report(service.database, report)
        patients = await render.patients([followed])
        return render.page(
            "report.html",
            one=followed,
            offers=offers_for(report, caller),
            waiting_for=[(act, who) for act, who in offered(report) if act not in offers_for(report, caller)],
            patient=patients[report.report_id],
            site=desk.sites.get(report.site_id),
        )

    _asset_route(router)
    return router


def _asset_route(router: APIRouter) -> None:
    @router.get("/assets/{name}", dependencies=[require()])
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise ProblemError.not_found()
        content = (files("navette_report.api") / "static" / name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=300"})


async def _received(service: Service, caller: Principal, settings: ReportSettings) -> int | None:
    """How many received reports wait for somebody, counted to 999; None where none are taken in."""
    return None if settings.index_key is None else await count_open_messages(service, caller, limit=999)


def _needs_somebody(line: JourneyLine) -> bool:
    return bool(french.WHO[line.shown.who_must_act])
