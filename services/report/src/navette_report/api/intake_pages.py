"""Received reports as pages: what waits, what one says, and the decisions about it. Plain forms, no script needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.french import field_problems
from navette_chassis.problem import FieldProblem, ProblemError
from navette_chassis.unit_of_work import Document
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from navette_report.adapters.intake_messages import MessageState
from navette_report.api import intake_words
from navette_report.api.access import PageViews, record
from navette_report.api.act_pages import FORM_TYPE
from navette_report.api.field_rules import FIELD_RULES
from navette_report.api.intake_access import CARE, Handler, listed_messages, may_read_content, visible_message
from navette_report.api.intake_schemas import FullMessageAnswer, MessageAnswer, refusal_label
from navette_report.api.listing import AfterId, first_link, next_link
from navette_report.api.rendering import FORM_PROOF_HEADER, Renderer
from navette_report.domain.fields import Strict
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.integrate_report_message import IntakeDesk
from navette_report.use_cases.read_report_message import OpenedMessage, read_report_message
from navette_report.use_cases.replay_report_message import (
    DISMISSIBLE,
    mark_of,
    replay_report_message,
    set_message_aside,
)


class _Decision(Strict):
    seen: Annotated[str, Field(max_length=40)]
    """Mark of what the page showed."""


class ReplayForm(_Decision):
    """Let it go again, into the draft that is chosen, if one is."""

    act: Literal["replay"]
    report_id: Annotated[str | None, Field(max_length=64), BeforeValidator(lambda value: value or None)] = None


class AsideForm(_Decision):
    """Nothing comes of it: that is final, so it is confirmed."""

    act: Literal["set-aside"]
    confirmed: Literal["true"]


Decision = Annotated[ReplayForm | AsideForm, Field(discriminator="act")]
_DECISION: TypeAdapter[ReplayForm | AsideForm] = TypeAdapter(Decision)


def intake_page_routes(service: Service, desk: Desk, intake: IntakeDesk) -> APIRouter:
    """`/pages/intake` and `/pages/intake/{id}`, which also takes the decision about that message."""
    router = APIRouter(prefix="/pages/intake", tags=["pages"])
    pages = _Pages(service, desk, intake)
    views = PageViews()

    @router.get("", response_class=HTMLResponse)
    async def messages(
        request: Request,
        caller: Handler,
        state: Annotated[list[MessageState] | None, Query()] = None,
        after: AfterId = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> HTMLResponse:
        if views.is_new(caller, "intake", service.clock.now()):
            await record(service, caller, "intake.list", "page", "intake", None, granted=True)
        found, more = await listed_messages(service, caller, state, after=after, limit=limit)
        first = None if after is None else first_link(request)
        return pages.listed(caller, found, state or [], first=first, following=next_link(request, more))

    @router.get("/{message_id}", response_class=HTMLResponse)
    async def message(request: Request, caller: Handler, message_id: str) -> HTMLResponse:
        row = await visible_message(service, caller, message_id, "intake.read")
        return await pages.message(request, caller, row)

    @router.post("/{message_id}", response_class=HTMLResponse)
    async def decide(request: Request, caller: Handler, message_id: str) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
            raise ProblemError(415, "content-type-refused", "Un formulaire est attendu à cette adresse.")
        fields = {name: str(value) for name, value in (await request.form()).items()}
        action = "intake.set_aside" if fields.get("act") == "set-aside" else "intake.replay"
        row = await visible_message(service, caller, message_id, action)
        try:
            form = _DECISION.validate_python(fields)
            if form.seen != mark_of(row):
                raise Forbidden("message_changed")
            if isinstance(form, AsideForm):
                await service.transact(set_message_aside, intake, row=row, by=caller.subject)
            else:
                await service.transact(replay_report_message, intake, row=row, by=caller.subject, into=form.report_id)
        except ValidationError as invalid:
            problems = field_problems(invalid.errors(), FIELD_RULES)
            return await pages.message(request, caller, row, given=fields, problems=problems)
        except Forbidden as refused:
            now = await visible_message(service, caller, message_id, action)
            return await pages.message(request, caller, now, given=fields, refusal=refusal_label(refused.rule))
        return RedirectResponse(f"/pages/intake/{message_id}", status.HTTP_303_SEE_OTHER)

    return router


class _Pages:
    """Renders both pages."""

    def __init__(self, service: Service, desk: Desk, intake: IntakeDesk) -> None:
        self._service = service
        self._desk = desk
        self._intake = intake
        self._render = Renderer(service, desk)

    def listed(
        self,
        caller: Principal,
        rows: Sequence[Document],
        states: Sequence[MessageState],
        *,
        first: str | None,
        following: str | None,
    ) -> HTMLResponse:
        """A part of the list: what JSON gives, no more."""
        return self._page(
            "intake.html",
            caller,
            messages=[MessageAnswer.of(row) for row in rows],
            states=states,
            first=first,
            next=following,
        )

    async def message(
        self,
        request: Request,
        caller: Principal,
        row: Document,
        *,
        given: Mapping[str, str] | None = None,
        problems: Sequence[FieldProblem] = (),
        refusal: str = "",
    ) -> HTMLResponse:
        """One message; what it says for the care team of its site only, each look on record."""
        shown, opened = MessageAnswer.of(row), OpenedMessage()
        reads = may_read_content(caller, row["site_id"])
        if reads:
            where = ("message", row["_id"], row["site_id"])
            await record(self._service, caller, "intake.read", *where, granted=True)
            opened = await self._service.transact(read_report_message, self._intake, row, with_drafts=shown.can_replay)
            shown = FullMessageAnswer.opened(row, opened)
        return self._page(
            "message.html",
            caller,
            status=409 if refusal else 422 if problems else 200,
            message=shown,
            reads=reads,
            drafts=opened.drafts,
            decided_at=row.get("decided_at"),
            dismissible=row["state"] in DISMISSIBLE,
            seen=mark_of(row),
            given=given or {},
            proof=request.headers.get(FORM_PROOF_HEADER, ""),
            problems=problems,
            refusal=refusal,
        )

    def _page(self, template: str, caller: Principal, *, status: int = 200, **values: Any) -> HTMLResponse:
        # Who only keeps the links has no journey to go back to.
        cares = bool(CARE & caller.roles)
        home = "journey" if cares else "intake"
        shared = {"said": intake_words, "sites": self._desk.sites, "cares": cares, "home": home}
        return self._render.page(template, status=status, **shared, **values)
