"""The activity dashboard: exact on 240 reports over two years, whoever looks at it and whatever the form."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from navette_contracts.events import Audience, DocumentReference, RecipientRole
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.journey import Channel, Fact, LineState, open_line
from navette_report.domain.lifecycle import State
from navette_report.domain.report import Edition, Report, Version

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = "2026-11-22"
PARTIES = ("dmp", "professionals", "patients")


MASKED = {
    "hidden_from_professionals": 11, "hidden_from_patient": 13, "hidden_from_representatives": 17,
    "announcement_needed": 9,
}  # fmt: skip
"""A choice, and of how many reports one has it."""


def deed(number: int) -> dict[str, Any]:
    """What happened to the n-th of 240 reports, ten a month from December 2024 on."""
    months = number // 10
    year, month = 2024 + (11 + months) // 12, (11 + months) % 12 + 1
    qualified = number % 4 != 0
    return {
        "id": f"activity-{number}",
        "at": datetime(year, month, 1 + number % 28, 12, tzinfo=UTC),
        "rpps": number % 3 == 0,
        "qualified": qualified,
        "dmp": qualified and number % 5 != 2,
        "professionals": number % 7 != 3,
        "patients": qualified and number % 6 != 5,
        "dmp_failed": number % 40 == 7,
        "mss_failed": number % 24 == 3,
        "masks": [mask for mask, each in MASKED.items() if number % each == 0],
    }


def report_of(world: Any, one: dict[str, Any], rpps: str) -> Report:
    # As stored: what excludes each other at validation does not matter to whoever counts.
    signature = world.samples.signature(**dict.fromkeys(one["masks"], True))
    signature = signature.model_copy(
        update={"signatory": signature.signatory.model_copy(update={"rpps": rpps}), "signed_at": one["at"]}
    )
    reference = DocumentReference(
        document_id=one["id"], cda_sha256="0" * 64, cda_size=1, pdf_sha256="0" * 64, pdf_size=1,
        unique_id="1.2.3", set_id="1.2.4", version_number=1, level="N1",
    )  # fmt: skip
    edition = Edition(
        reference=reference,
        ins_qualified=one["qualified"],
        identity_revision=1,
        audience=tuple(Audience) if one["qualified"] else (Audience.PROFESSIONALS,),
        composed_at=one["at"],
    )
    version = Version(
        number=1, state=State.COMPOSED, content=world.samples.content(), signature=signature, editions=(edition,)
    )
    return Report(
        report_id=one["id"], patient_id="p", site_id=world.other_site, created_at=one["at"], updated_at=one["at"],
        versions=(version,),
    )  # fmt: skip


async def store(world: Any, uow: Any, one: dict[str, Any], rpps: str) -> None:
    await ReportRepository(uow).add(report_of(world, one, rpps))
    journeys = JourneyRepository(uow)

    async def line(channel: Channel, recipient: str, role: RecipientRole, *states: LineState) -> None:
        opened = open_line(one["id"], 1, channel, recipient, role, Fact(state=LineState.WAITING, at=one["at"]))
        for state in states:
            opened = opened.fold(Fact(state=state, at=one["at"]))
        await journeys.put(opened)

    dmp = [LineState.DELIVERED] if one["dmp"] else []
    await line(Channel.DMP, "dmp", RecipientRole.OTHER, *([LineState.REFUSED] if one["dmp_failed"] else []), *dmp)
    sent = [LineState.SENT] if one["professionals"] else []
    for recipient, role in (("corr-1", RecipientRole.REQUESTER), ("corr-2", RecipientRole.COPY)):
        await line(Channel.MSS, recipient, role, *sent)
    failed = [LineState.FAILED] if one["mss_failed"] else []
    patient = [LineState.SENT, LineState.READ] if one["patients"] else []
    await line(Channel.MSS, "patient", RecipientRole.PATIENT, *patient, *failed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_years(world: Any, make_rpps: Any) -> list[dict[str, Any]]:
    deeds = [deed(number) for number in range(240)]
    for start in range(0, 240, 20):

        async def keep(uow: Any, start: int = start) -> None:
            for one in deeds[start : start + 20]:
                await store(world, uow, one, make_rpps(31 if one["rpps"] else 32))

        await world.service.transact(keep)
    return deeds


def expected(deeds: list[dict[str, Any]]) -> dict[str, Any]:
    count = Counter(party for one in deeds for party in PARTIES if one[party])
    qualified = Counter(party for one in deeds for party in PARTIES if one[party] and one["qualified"])
    values: dict[str, Any] = {
        party: {
            "total": count[party],
            "ins_qualified": qualified[party],
            "ins_not_qualified": count[party] - qualified[party],
        }
        for party in PARTIES
    }
    return values | {
        "files_with_dmp": count["dmp"],
        "files_with_professionals": count["professionals"],
        "files_with_patients": count["patients"],
        "files_with_all_three": sum(all(one[party] for party in PARTIES) for one in deeds),
        "dmp_failures": sum(one["dmp_failed"] for one in deeds),
        "mss_failures": sum(one["mss_failed"] for one in deeds),
        "dmp_masked": {mask: sum(one["dmp"] and mask in one["masks"] for one in deeds) for mask in MASKED},
    }


async def ask(world: Any, path: str, *roles: str, **claims: Any) -> Any:
    async with world.caller(*roles, **({"sites": [world.other_site]} | claims)) as caller:
        return await caller.get(path)


@pytest.mark.dsr("RIS.TBB.01", "RIS.TBB.02", "RIS.TBB.03")
async def test_the_figures_of_240_reports_are_exact(world, two_years, make_rpps):
    answer = await ask(world, f"/activity?day={DAY}", "administrator")
    assert answer.status_code == 200, answer.text
    figures = {(one["period"], one["rpps"]): one for one in answer.json()["figures"]}
    within = {
        "month": [one for one in two_years if (one["at"].year, one["at"].month) == (2026, 11)],
        "year": [one for one in two_years if one["at"].year == 2026],
        "previous_year": [one for one in two_years if one["at"].year == 2025],
    }
    assert [len(deeds) for deeds in within.values()] == [10, 110, 120]
    for period, deeds in within.items():
        for rpps, part in (
            (None, deeds),
            (make_rpps(31), [one for one in deeds if one["rpps"]]),
            (make_rpps(32), [one for one in deeds if not one["rpps"]]),
        ):
            found = figures.pop((period, rpps))
            assert found["finess"] == "999900016"
            assert {key: found[key] for key in expected(part)} == expected(part), (period, rpps)
    assert figures == {}


@pytest.mark.dsr("RIS.TBB.01", "RIS.TBB.03")
async def test_a_spreadsheet_opens_the_same_figures_with_french_heads(world, two_years):
    answer = await ask(world, f"/activity.csv?day={DAY}", "administrator")
    assert answer.headers["content-disposition"] == f'attachment; filename="activite-{DAY}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    year = next(row for row in rows if row["Période"] == "Année en cours" and row["RPPS"] == "Tous")
    wanted = expected([one for one in two_years if one["at"].year == 2026])
    assert int(year["CR alimentés au DMP"]) == wanted["dmp"]["total"]
    assert int(year["CR DMP – masqué aux professionnels"]) == wanted["dmp_masked"]["hidden_from_professionals"]
    assert (
        int(year["CR envoyés par MSSanté aux professionnels – INS non qualifiée"])
        == (wanted["professionals"]["ins_not_qualified"])
    )
    assert int(year["Dossiers avec les trois"]) == wanted["files_with_all_three"]
    assert int(year["Échecs MSSanté"]) == wanted["mss_failures"]
    assert (year["Du"], year["Au (exclu)"]) == ("2026-01-01", "2027-01-01")


@pytest.mark.dsr("RIS.TBB.01", "RIS.TBB.02", "RIS.TBB.03")
async def test_a_site_where_nothing_happened_is_shown_with_zeros(world, two_years):
    quiet = "999900024"
    sites = [world.other_site, world.foreign_site]
    answer = await ask(world, f"/activity?day={DAY}", "administrator", sites=sites)
    found = [one for one in answer.json()["figures"] if one["finess"] == quiet]
    assert [(one["period"], one["rpps"]) for one in found] == [("month", None), ("year", None), ("previous_year", None)]
    for one in found:
        assert one["dmp"] == one["patients"] == {"total": 0, "ins_qualified": 0, "ins_not_qualified": 0}
        assert one["files_with_all_three"] == one["dmp_failures"] == one["mss_failures"] == 0
    table = await ask(world, f"/activity.csv?day={DAY}", "administrator", sites=sites)
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig")), delimiter=";"))
    silent = [row for row in rows if row["FINESS géographique"] == quiet]
    assert [row["Période"] for row in silent] == ["Mois en cours", "Année en cours", "Année précédente"]
    assert {row["CR alimentés au DMP"] for row in silent} == {"0"}
    # Nobody reads there of a site they do not administrate.
    own = await ask(world, f"/activity?day={DAY}", "administrator")
    assert {one["finess"] for one in own.json()["figures"]} == {"999900016"}


async def test_an_administrator_sees_the_sites_they_administrate_only(world, two_years):
    answer = await ask(world, f"/activity?day={DAY}", "administrator", sites=["site-of-nobody"])
    assert answer.json()["figures"] == []


@pytest.mark.parametrize("role", ["secretary", "radiologist", "operator"])
async def test_others_do_not_see_the_figures(world, role):
    assert (await ask(world, "/activity", role)).status_code == 403
    assert (await ask(world, "/activity.csv", role)).status_code == 403


async def test_a_day_that_is_none_is_refused(world):
    assert (await ask(world, "/activity?day=2026-13-01", "administrator")).status_code == 422
