"""Probes and metrics: ``/livez``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from pymongo.errors import PyMongoError
from starlette.responses import JSONResponse, Response

from navette_chassis.auth.guard import public
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.openmetrics import CONTENT_TYPE

if TYPE_CHECKING:
    from navette_chassis.service import Service


def health_router(service: Service) -> APIRouter:
    """Open routes: they tell names of parts and codes, nothing about reports."""
    router = APIRouter(dependencies=[public()])

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        """The process answers; whether it is useful is ``/readyz``'s business."""
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> Response:
        """200 when broker, database, relay, dispatcher and consumers are all well, 503 with reasons otherwise."""
        checks = await service.checks()
        ready = all(result == "ok" for result in checks.values())
        body = {"status": "ready" if ready else "not_ready", "checks": checks}
        return JSONResponse(body, status_code=200 if ready else 503)

    @router.get("/metrics")
    async def read_metrics() -> Response:
        """OpenMetrics text."""
        await _sample_outbox(service)
        return Response(metrics().text(), media_type=CONTENT_TYPE)

    return router


async def _sample_outbox(service: Service) -> None:
    try:
        oldest = await service.oldest_unpublished()
    except (PyMongoError, RuntimeError):
        return  # database away or service not started: the gauge keeps its last value, readyz tells
    age = 0.0 if oldest is None else max(0.0, (service.clock.now() - oldest).total_seconds())
    metrics().set("navette_outbox_oldest_pending_seconds", age)
