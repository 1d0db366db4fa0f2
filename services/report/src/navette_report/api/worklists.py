"""Work lists: what waits for somebody, over the sites of the caller (RIS.CRR.05, RIS.CRR.06)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from navette_chassis import Service

from navette_report.adapters import reports as store
from navette_report.api.access import CareTeam, record
from navette_report.api.listing import After, next_link
from navette_report.api.schemas import Answer, JourneyAnswer
from navette_report.settings import ReportSettings
from navette_report.use_cases.read_reports import Wanted, list_reports


class Worklist(StrEnum):
    """The lists there are."""

    WAITING_INS = store.WAITING_INS
    TO_ANNOUNCE = store.TO_ANNOUNCE
    PROVISIONAL = store.PROVISIONAL
    HELD = store.HELD
    FAILED = store.FAILED


class WorklistAnswer(Answer):
    """A part of one list, last changed first."""

    name: str
    reports: list[JourneyAnswer]
    late: list[str]
    """Reports of this part that nobody touched for longer than `reminder_hours`."""
    reminder_hours: float
    next: str | None
    """Link to the next part of the list, relative to the address that was asked; null at its end."""


def worklist_routes(service: Service, settings: ReportSettings) -> APIRouter:
    """`/worklists/{name}`."""
    router = APIRouter(prefix="/worklists", tags=["worklists"])

    @router.get("/{name}")
    async def read(
        request: Request,
        caller: CareTeam,
        name: Worklist,
        after: After,
        days: Annotated[int | None, Query(ge=1, le=366)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> WorklistAnswer:
        now = service.clock.now()
        # Only the review of what is not validated is over a period; what blocks a patient never drops out.
        period = timedelta(days=days or settings.review_days)
        since = now - period if name is Worklist.PROVISIONAL else None
        wanted = Wanted(worklist=name.value, changed_since=since)
        page = await list_reports(service.database, caller.sites, wanted=wanted, limit=limit, after=after)
        await record(service, caller, "worklist.read", "worklist", name.value, None, granted=True)
        overdue = now - timedelta(hours=settings.reminder_hours)
        return WorklistAnswer(
            name=name,
            reports=[JourneyAnswer.of(one) for one in page.followed],
            late=[one.report.report_id for one in page.followed if one.report.updated_at < overdue],
            reminder_hours=settings.reminder_hours,
            next=next_link(request, page.next),
        )

    return router
