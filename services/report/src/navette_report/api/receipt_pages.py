"""Receipts of platforms as a page: those that wait for a person, and a form to close each. No script needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.french import field_problems
from navette_chassis.problem import FieldProblem, ProblemError
from pydantic import ValidationError

from navette_report.adapters.pfi_receipts import OPEN, ReceiptState, list_receipts
from navette_report.api.access import PageViews, record
from navette_report.api.act_pages import FORM_TYPE
from navette_report.api.intake_access import CARE
from navette_report.api.platforms import Closing, Keeper, ReceiptAnswer, closed
from navette_report.api.rendering import FORM_PROOF_HEADER, Renderer
from navette_report.use_cases.compose_report import Desk

_LIMIT = 100
_FILTERS = {
    ReceiptState.CLOSED: "Clos",
    ReceiptState.FOLDED: "Pris en compte",
}


def receipt_page_routes(service: Service, desk: Desk, *, kept_for: timedelta) -> APIRouter:
    """`/pages/receipts`, and `/pages/receipts/{id}`, which takes the decision about that receipt."""
    router = APIRouter(prefix="/pages/receipts", tags=["pages"])
    render, views = Renderer(service, desk), PageViews()

    async def page(
        request: Request,
        caller: Principal,
        states: Sequence[ReceiptState],
        *,
        up: str = "",
        refusal: str = "",
        problems: Sequence[FieldProblem] = (),
    ) -> HTMLResponse:
        rows = await list_receipts(service.database, states=[one.value for one in states or OPEN], limit=_LIMIT)
        return render.page(
            "receipts.html",
            status=409 if refusal else 422 if problems else 200,
            receipts=[ReceiptAnswer.of(row, service.keyring) for row in rows],
            labels={one.name: one.label for one in desk.outputs.distribution.platforms},
            open_states=[one.value for one in OPEN],
            filters=_FILTERS,
            states=states,
            limit=_LIMIT,
            cares=bool(CARE & caller.roles),
            home="journey" if CARE & caller.roles else "receipts",
            up=up,
            alive=False,
            proof=request.headers.get(FORM_PROOF_HEADER, ""),
            refusal=refusal,
            problems=problems,
        )

    @router.get("", response_class=HTMLResponse)
    async def receipts(
        request: Request, caller: Keeper, state: Annotated[list[ReceiptState] | None, Query()] = None
    ) -> HTMLResponse:
        if views.is_new(caller, "receipts", service.clock.now()):
            await record(service, caller, "receipts.list", "page", "receipts", None, granted=True)
        return await page(request, caller, state or [])

    @router.post("/{receipt_id}", response_class=HTMLResponse)
    async def decide(request: Request, caller: Keeper, receipt_id: str) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
            raise ProblemError(415, "content-type-refused", "Un formulaire est attendu à cette adresse.")
        fields = {name: str(value) for name, value in (await request.form()).items()}
        try:
            await closed(service, caller, receipt_id, Closing.model_validate(fields), kept_for)
        except ValidationError as invalid:
            return await page(request, caller, [], up="../", problems=field_problems(invalid.errors()))
        except ProblemError as refused:
            if refused.status != status.HTTP_409_CONFLICT:
                raise
            return await page(request, caller, [], up="../", refusal=str(refused.detail))
        return RedirectResponse("/pages/receipts", status.HTTP_303_SEE_OTHER)

    return router
