"""The report models a site offers for an act."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from navette_report.api.access import CareTeam
from navette_report.api.schemas import Answer
from navette_report.domain.models import ReportModel
from navette_report.use_cases.compose_report import Desk


class ModelList(Answer):
    """Models, those made for the act first."""

    models: list[ReportModel]


def model_routes(desk: Desk) -> APIRouter:
    """`GET /models`."""
    router = APIRouter(tags=["reports"])

    @router.get("/models")
    async def read_models(
        caller: CareTeam, site_id: str, act: Annotated[str | None, Query(description="Code LOINC de l'acte")] = None
    ) -> ModelList:
        caller.require_site(site_id)
        return ModelList(models=desk.models.of_site(site_id, act))

    return router
