"""The journey of a report as server-sent events: one event whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from navette_chassis import Service

from navette_report.api.access import CareTeam, visible_report
from navette_report.api.schemas import JourneyAnswer
from navette_report.use_cases.read_reports import find_report, follow_report

PERIOD_SECONDS = 0.5
"""How often the database is asked; one query by key."""
MAX_SECONDS = 55.0


def live_routes(service: Service) -> APIRouter:
    """`/reports/{id}/events`. A stream ends by itself, so that rights are checked again when the browser comes back."""
    router = APIRouter(prefix="/reports", tags=["journey"])

    @router.get("/{report_id}/events", response_class=StreamingResponse)
    async def events(
        caller: CareTeam,
        report_id: str,
        seconds: Annotated[float, Query(gt=0, le=MAX_SECONDS)] = 25.0,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    ) -> StreamingResponse:
        await visible_report(service, caller, report_id, "journey.watch")
        return StreamingResponse(
            _changes(service, report_id, seconds, last_event_id or ""),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def _changes(service: Service, report_id: str, seconds: float, seen: str) -> AsyncIterator[bytes]:
    """Events from now on; first the present state, unless its id is the last one the browser saw."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    yield b"retry: 1000\n\n"
    while True:
        report = await find_report(service.database, report_id)
        if report is None:
            return
        body = JourneyAnswer.of(await follow_report(service.database, report)).model_dump_json()
        mark = hashlib.sha256(body.encode()).hexdigest()[:32]
        if mark != seen:
            seen = mark
            yield f"id: {mark}\nevent: journey\ndata: {body}\n\n".encode()
        if loop.time() >= end:
            return
        await asyncio.sleep(min(PERIOD_SECONDS, max(0.0, end - loop.time())))
