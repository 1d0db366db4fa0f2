"""The way out of a held document: correct the cause, then compose again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError

from navette_report.api import french, works
from navette_report.api.schemas import ReportAnswer
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.compose_report import Desk

Corrector = Annotated[Principal, require("radiologist", "administrator")]


def recomposition_routes(service: Service, desk: Desk) -> APIRouter:
    """`POST /reports/{id}/recompose`."""
    router = APIRouter(prefix="/reports", tags=["reports"])

    @router.post("/{report_id}/recompose")
    async def recompose(caller: Corrector, report_id: str) -> ReportAnswer:
        try:
            return ReportAnswer.of(await works.perform(service, caller, report_id, works.recomposing(caller, desk)))
        except Forbidden as forbidden:
            raise ProblemError.conflict(forbidden.rule.replace("_", "-"), french.rule(forbidden.rule)) from None

    return router
