"""The activity dashboard as data: JSON, and CSV for a spreadsheet (TBB.01 to TBB.03)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_contracts.events import Audience

from navette_report.api.access import record
from navette_report.api.act_words import CHOICES
from navette_report.api.schemas import Answer
from navette_report.domain.activity import MASKS, Dashboard, Period, Place, Tally, spans
from navette_report.domain.fields import Day
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.read_activity import read_activity

Administrator = Annotated[Principal, require("administrator")]
Reference = Annotated[Day | None, Query(description="Jour de référence, aujourd'hui par défaut")]
_PERIODS = {Period.MONTH: "Mois en cours", Period.YEAR: "Année en cours", Period.PREVIOUS_YEAR: "Année précédente"}
_PARTIES = {
    Audience.DMP: "alimentés au DMP",
    Audience.PROFESSIONALS: "envoyés par MSSanté aux professionnels",
    Audience.PATIENT: "envoyés par MSSanté aux patients",
}


class CountAnswer(Answer):
    """Documents, with the INS qualified and without."""

    total: int
    ins_qualified: int
    ins_not_qualified: int


class FiguresAnswer(Answer):
    """The figures of one site, or of one of its professionals, in one period."""

    period: Period
    start: datetime
    end: datetime
    finess: str
    rpps: str | None
    """None: all professionals of the site."""
    dmp: CountAnswer
    professionals: CountAnswer
    patients: CountAnswer
    files_with_dmp: int
    files_with_professionals: int
    files_with_patients: int
    files_with_all_three: int
    dmp_failures: int
    mss_failures: int
    dmp_masked: dict[str, int]
    """Documents of the DMP by what was chosen for them (TBB.02)."""


class ActivityAnswer(Answer):
    """The dashboard."""

    day: date
    figures: list[FiguresAnswer]


def activity_routes(service: Service, desk: Desk) -> APIRouter:
    """`GET /activity` and `GET /activity.csv`."""
    router = APIRouter(tags=["activity"])

    async def figures(caller: Principal, day: date | None) -> ActivityAnswer:
        wanted = day or service.clock.now().astimezone(desk.zone).date()
        sites = {site_id: site for site_id, site in desk.sites.items() if caller.may_act_for(site_id)}
        dashboard = await read_activity(service.database, sites, day=wanted, zone=desk.zone)
        await record(service, caller, "activity.read", "activity", wanted.isoformat(), None, granted=True)
        return ActivityAnswer(day=wanted, figures=list(_figures(dashboard, wanted, desk)))

    @router.get("/activity")
    async def read_json(caller: Administrator, day: Reference = None) -> ActivityAnswer:
        return await figures(caller, day)

    @router.get("/activity.csv", response_class=Response)
    async def read_csv(caller: Administrator, day: Reference = None) -> Response:
        answer = await figures(caller, day)
        name = f"activite-{answer.day.isoformat()}.csv"
        return Response(
            _csv(answer),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    return router


def _figures(dashboard: Dashboard, day: date, desk: Desk) -> Iterator[FiguresAnswer]:
    covered = spans(day, desk.zone)
    for period, tallies in dashboard.items():
        for place in sorted(tallies, key=lambda one: (one.finess, one.rpps or "")):
            span = covered[period]
            yield _answer(place, tallies[place], period=period, start=span.start, end=span.end)


def _answer(place: Place, tally: Tally, *, period: Period, start: datetime, end: datetime) -> FiguresAnswer:
    def count(party: Audience) -> CountAnswer:
        found = tally.documents(party)
        return CountAnswer(total=found.total, ins_qualified=found.qualified, ins_not_qualified=found.unqualified)

    return FiguresAnswer(
        period=period,
        start=start,
        end=end,
        finess=place.finess,
        rpps=place.rpps,
        dmp=count(Audience.DMP),
        professionals=count(Audience.PROFESSIONALS),
        patients=count(Audience.PATIENT),
        files_with_dmp=tally.files(Audience.DMP),
        files_with_professionals=tally.files(Audience.PROFESSIONALS),
        files_with_patients=tally.files(Audience.PATIENT),
        files_with_all_three=tally.files(Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT),
        dmp_failures=tally.dmp_failures,
        mss_failures=tally.mss_failures,
        dmp_masked={mask: tally.masked(mask) for mask in MASKS},
    )


def _csv(answer: ActivityAnswer) -> bytes:
    """Semicolons and a byte order mark: what a French spreadsheet opens without being asked."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    heads = ["Période", "Du", "Au (exclu)", "FINESS géographique", "RPPS"]
    for words in _PARTIES.values():
        heads += [f"CR {words}", f"CR {words} – INS qualifiée", f"CR {words} – INS non qualifiée"]
    heads += ["Dossiers avec dépôt DMP", "Dossiers avec envoi professionnel", "Dossiers avec envoi patient"]
    heads += ["Dossiers avec les trois", "Échecs DMP", "Échecs MSSanté"]
    heads += [f"CR DMP – {CHOICES[mask][0].lower()}" for mask in MASKS]
    writer.writerow(heads)
    for one in answer.figures:
        counts = [
            number
            for count in (one.dmp, one.professionals, one.patients)
            for number in (count.total, count.ins_qualified, count.ins_not_qualified)
        ]
        writer.writerow(
            [
                _PERIODS[one.period],
                one.start.date().isoformat(),
                one.end.date().isoformat(),
                one.finess,
                one.rpps or "Tous",
                *counts,
                one.files_with_dmp,
                one.files_with_professionals,
                one.files_with_patients,
                one.files_with_all_three,
                one.dmp_failures,
                one.mss_failures,
                *(one.dmp_masked[mask] for mask in MASKS),
            ]
        )
    return text.getvalue().encode("utf-8-sig")
