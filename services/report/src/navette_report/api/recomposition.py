"""The way out of a held document: correct the cause, then compose again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_chassis.problem import OutOfSightError, ProblemError

from navette_report.adapters.reports import ReportRepository
from navette_report.api.access import record
from navette_report.api.schemas import ReportAnswer
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.recompose_report import NOTHING_HELD, recompose_report

Corrector = Annotated[Principal, require("radiologist", "administrator")]
_NOTHING = "Aucun document de ce compte rendu n’est retenu."


def recomposition_routes(service: Service, desk: Desk) -> APIRouter:
    """`POST /reports/{id}/recompose`."""
    router = APIRouter(prefix="/reports", tags=["reports"])

    @router.post("/{report_id}/recompose")
    async def recompose(caller: Corrector, report_id: str) -> ReportAnswer:
        async def work(uow: UnitOfWork) -> Report:
            report = await ReportRepository(uow).get(report_id)
            if report is None:
                raise ProblemError.not_found()
            caller.require_sight(report.site_id)
            return await recompose_report(uow, desk, report=report, by=caller.subject)

        try:
            return ReportAnswer.of(await service.transact(work))
        except Forbidden:
            raise ProblemError.conflict(NOTHING_HELD.replace("_", "-"), _NOTHING) from None
        except OutOfSightError:
            await record(service, caller, "report.recompose", "report", report_id, None, granted=False)
            raise

    return router
