"""Where the publications of a report stand, for operators and the other services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from navette_chassis.auth import require
from pydantic import BaseModel, ConfigDict

from navette_dmp.adapters.publications import MongoPublications


class PublicationState(BaseModel):
    """One document version and the DMP."""

    model_config = ConfigDict(extra="forbid")

    unique_id: str
    version: int
    status: str
    code: str | None
    entry_uuid: str | None
    submission_unique_id: str | None
    at: datetime


def publications_router(publications: MongoPublications) -> APIRouter:
    """Routes under /publications."""
    router = APIRouter(prefix="/publications", tags=["publications"])

    @router.get("/{report_id}", dependencies=[require("operator", "administrator", service=True)])
    async def states(report_id: str) -> list[PublicationState]:
        return [_state(found) for found in await publications.of_report(report_id)]

    return router


def _state(found: dict[str, Any]) -> PublicationState:
    return PublicationState(
        unique_id=found["_id"],
        version=found["version"],
        status=found["status"],
        code=found.get("code"),
        entry_uuid=found.get("entry_uuid"),
        submission_unique_id=found.get("submission_unique_id"),
        at=found["at"],
    )
