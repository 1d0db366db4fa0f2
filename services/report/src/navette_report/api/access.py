"""Who may see which report; every access to one is told to the audit stream, refused ones too."""

from __future__ import annotations

from typing import Annotated

from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError

from navette_report.domain.report import Report
from navette_report.use_cases.read_reports import find_report

CareTeam = Annotated[Principal, require("radiologist", "secretary", "technologist")]
"""Those who work with reports at a site."""
Radiologist = Annotated[Principal, require("radiologist")]
Caller = Annotated[Principal, require(service=True)]
"""Another service."""

DOCUMENT_READERS = frozenset({"dmp", "mss"})


async def visible_report(service: Service, caller: Principal, report_id: str, action: str) -> Report:
    """The report, if it exists and the caller works for its site; the access is recorded either way."""
    report = await find_report(service.database, report_id)
    if report is None:
        raise ProblemError.not_found()
    allowed = caller.may_act_for(report.site_id)
    await record(service, caller, action, "report", report_id, report.site_id, granted=allowed)
    caller.require_site(report.site_id)
    return report


async def record(
    service: Service,
    caller: Principal,
    action: str,
    object_kind: str,
    object_id: str,
    site_id: str | None,
    *,
    granted: bool,
) -> None:
    """One line of the audit stream, in a transaction of its own: a refusal must survive what it refuses."""

    async def write(uow: UnitOfWork) -> None:
        outcome = "granted" if granted else "refused"
        await uow.record_access(caller.subject, action, object_kind, object_id, site_id, outcome)

    await service.transact(write)
