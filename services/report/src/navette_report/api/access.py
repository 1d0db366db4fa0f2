"""Who may see which report; every access to one is told to the audit stream, refused ones too."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
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


class PageViews:
    """Remembers who looked at which page, so that a page that refreshes itself is one access, not thousands."""

    def __init__(self, *, period: timedelta = timedelta(minutes=10), remembered: int = 10_000) -> None:
        self._period = period
        self._remembered = remembered
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def is_new(self, caller: Principal, page: str, now: datetime) -> bool:
        """Whether this caller did not open this page within the period."""
        key = (caller.subject, page)
        last = self._seen.get(key)
        if last is not None and now - last < self._period:
            return False
        self._seen[key] = now
        self._seen.move_to_end(key)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return True


async def visible_report(
    service: Service, caller: Principal, report_id: str, action: str, *, views: PageViews | None = None
) -> Report:
    """The report, if it exists and the caller works for its site; else the same 404. An access is recorded either way.

    With `views`, a page opened again within its period is not recorded again; a refusal always is.
    """
    report = await find_report(service.database, report_id)
    if report is None:
        raise ProblemError.not_found()
    allowed = caller.may_act_for(report.site_id)
    if not allowed or views is None or views.is_new(caller, report_id, service.clock.now()):
        await record(service, caller, action, "report", report_id, report.site_id, granted=allowed)
    caller.require_sight(report.site_id)
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
