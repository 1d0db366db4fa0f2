"""One page per act: what it does, what it asks, one button. Plain forms, usable without script and without mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.french import field_problems
from navette_chassis.problem import FieldProblem, ProblemError
from pydantic import ValidationError

from navette_report.api import act_words, french, works
from navette_report.api.access import CareTeam, record, visible_report
from navette_report.api.act_forms import TEXTS, work_of
from navette_report.api.field_rules import FIELD_RULES
from navette_report.api.rendering import FORM_PROOF_HEADER, Renderer
from navette_report.api.unchanged import mark_of
from navette_report.domain.acts import Offer, offered_to, open_choices
from navette_report.domain.choices import SignatureChoices, standing
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.read_reports import Followed

FORM_TYPE = "application/x-www-form-urlencoded"


def act_page_routes(service: Service, desk: Desk) -> APIRouter:
    """`/pages/reports/{id}/acts/{act}`: the form, and its answer."""
    router = APIRouter(prefix="/pages/reports/{report_id}/acts", tags=["pages"])
    pages = _Pages(service, desk)

    @router.get("/{act}", response_class=HTMLResponse)
    async def ask(request: Request, caller: CareTeam, report_id: str, act: Offer) -> Response:
        report = await visible_report(service, caller, report_id, "report.read")
        if act not in offers_for(report, caller):
            # Done meanwhile, by this person or another: the page of the report says where it stands.
            return RedirectResponse(f"/pages/reports/{report_id}", status.HTTP_303_SEE_OTHER)
        return await pages.form(request, caller, report, act)

    @router.post("/{act}", response_class=HTMLResponse)
    async def perform(request: Request, caller: CareTeam, report_id: str, act: Offer) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
            raise ProblemError(415, "content-type-refused", "Un formulaire est attendu à cette adresse.")
        report = await visible_report(service, caller, report_id, "report.read")
        fields = {name: str(value) for name, value in (await request.form()).items()}
        if act not in offers_for(report, caller):
            return await pages.not_offered(request, caller, report, act)
        try:
            await works.perform(service, caller, report_id, work_of(act, fields, caller, desk, report))
        except ValidationError as invalid:
            problems = field_problems(invalid.errors(), FIELD_RULES)
            return await pages.form(request, caller, report, act, given=fields, problems=problems)
        except Forbidden as forbidden:
            said = french.rule(forbidden.rule)
            return await pages.form(request, caller, report, act, given=fields, refusal=said)
        return RedirectResponse(f"/pages/reports/{report_id}", status.HTTP_303_SEE_OTHER)

    return router


def offers_for(report: Report, caller: Principal) -> tuple[Offer, ...]:
    """The acts this person may do now."""
    return offered_to(report, radiologist="radiologist" in caller.roles, rpps=caller.rpps)


class _Pages:
    """Renders the page of an act."""

    def __init__(self, service: Service, desk: Desk) -> None:
        self._service = service
        self._desk = desk
        self._render = Renderer(service, desk)

    async def form(
        self,
        request: Request,
        caller: Principal,
        report: Report,
        act: Offer,
        *,
        given: Mapping[str, str] | None = None,
        problems: Sequence[FieldProblem] = (),
        refusal: str = "",
        offered: bool = True,
    ) -> HTMLResponse:
        """The form, filled as it was sent when it is refused."""
        patient = (await self._render.patients([Followed(report, ())]))[report.report_id]
        ticked = standing(report.current.choices).model_dump() if given is None else given
        return self._render.page(
            "act.html",
            status=409 if refusal else 422 if problems else 200,
            act=act,
            report=report,
            patient=patient,
            site=self._desk.sites.get(report.site_id),
            texts={name: _text(report, name, given) for name in TEXTS},
            given=given or {},
            ticked={name for name in SignatureChoices.model_fields if ticked.get(name)},
            open_choices=open_choices(report, minor=patient.minor),
            seen=mark_of(report.current),
            proof=request.headers.get(FORM_PROOF_HEADER, ""),
            problems=problems,
            refusal=refusal,
            offered=offered,
            anothers=report.current.proposed_by not in (None, caller.rpps),
        )

    async def not_offered(self, request: Request, caller: Principal, report: Report, act: Offer) -> HTMLResponse:
        """The act is not this person's (recorded), or not possible any more."""
        if act in offered_to(report, radiologist=True, rpps=caller.rpps) and "radiologist" not in caller.roles:
            where = ("report", report.report_id, report.site_id)
            await record(self._service, caller, f"report.{act}", *where, granted=False)
            raise ProblemError.forbidden("Cet acte est réservé aux radiologues du site.")
        return await self.form(request, caller, report, act, refusal=act_words.NOT_OFFERED, offered=False)


def _text(report: Report, name: str, given: Mapping[str, str] | None) -> str:
    return str(getattr(report.current.content, name)) if given is None else given.get(name, "")
