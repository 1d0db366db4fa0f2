"""Probes and metrics: ``/livez``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter
from pymongo.errors import PyMongoError
from starlette.responses import JSONResponse, Response

from navette_chassis.auth.guard import public
from navette_chassis.backoff import wait_or_stop
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.openmetrics import CONTENT_TYPE

if TYPE_CHECKING:
    from navette_chassis.service import Service

#: Time between two looks at the outbox where metrics are pushed and nobody asks for them, seconds.
SAMPLE_SECONDS = 15.0


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
        await sample_outbox(service)
        return Response(metrics().text(), media_type=CONTENT_TYPE)

    return router


async def keep_sampling(service: Service, stopping: asyncio.Event) -> None:
    """Refresh the gauges of the outbox until told to stop: a collector that is pushed to scrapes nothing."""
    while not await wait_or_stop(stopping, SAMPLE_SECONDS):
        await sample_outbox(service)


async def sample_outbox(service: Service) -> None:
    """Refresh the gauges of the outbox."""
    try:
        oldest, count = await service.backlog()
    except (PyMongoError, RuntimeError):
        return  # database away or service not started: the gauges keep their last value, readyz tells
    metrics().set("navette_outbox_pending", count)
    age = 0.0 if oldest is None else max(0.0, (service.clock.now() - oldest).total_seconds())
    metrics().set("navette_outbox_oldest_pending_seconds", age)
