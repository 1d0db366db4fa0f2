"""Lists of reports: each site finds its own, however much there is elsewhere, and no list is cut without saying so."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from navette_contracts.events import RecipientRole
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.journey import Channel, Fact, JourneyLine, LineState, open_line
from navette_report.domain.lifecycle import State
from navette_report.domain.report import Report, Version

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEGUN = datetime(2026, 11, 2, 9, tzinfo=UTC)
LINES_OF_A_REPORT = 50


def report_of(world: Any, report_id: str, site_id: str, *, number: int = 1, minutes: int = 0) -> Report:
    """A composed report; the versions before the last one are replaced."""
    versions = tuple(
        Version(
            number=one,
            state=State.COMPOSED if one == number else State.REPLACED,
            content=world.samples.content(),
            signature=world.samples.signature(),
        )
        for one in range(1, number + 1)
    )
    changed = BEGUN + timedelta(minutes=minutes)
    return Report(
        report_id=report_id, patient_id="p", site_id=site_id, created_at=BEGUN, updated_at=changed, versions=versions
    )


def line_of(report_id: str, recipient: str, state: LineState, *, version: int = 1) -> JourneyLine:
    return open_line(report_id, version, Channel.MSS, recipient, RecipientRole.COPY, Fact(state=state, at=BEGUN))


async def stored(world: Any, report: Report, *lines: JourneyLine) -> None:
    async def keep(uow: Any) -> None:
        await ReportRepository(uow).add(report)
        for line in lines:
            await JourneyRepository(uow).put(line)

    await world.service.transact(keep)


async def failed_of(world: Any, *sites: str) -> list[str]:
    async with world.caller("secretary", sites=list(sites)) as caller:
        answer = await caller.get("/worklists/failed?limit=200")
    assert answer.status_code == 200, answer.text
    return [one["report"]["report_id"] for one in answer.json()["reports"]]


async def test_a_failure_of_a_small_site_is_not_hidden_by_thousands_of_a_big_one(world):
    await stored(world, report_of(world, "a-small", world.other_site), line_of("a-small", "c", LineState.REFUSED))
    for number in range(42):
        report_id = f"b-big-{number:03d}"
        lines = [line_of(report_id, f"c{one}", LineState.REFUSED) for one in range(LINES_OF_A_REPORT)]
        await stored(world, report_of(world, report_id, world.site), *lines)
    assert await failed_of(world, world.other_site) == ["a-small"]
    assert len(await failed_of(world, world.site)) == 42
    assert await failed_of(world, world.foreign_site) == []


async def test_a_report_leaves_the_list_when_its_last_failure_is_mended(world):
    where = world.foreign_site
    one, other = (line_of("mended", name, LineState.FAILED) for name in ("one", "other"))
    await stored(world, report_of(world, "mended", where), one, other)
    assert await failed_of(world, where) == ["mended"]
    delivered = Fact(state=LineState.DELIVERED, at=BEGUN + timedelta(hours=1))
    for line, still in ((one, ["mended"]), (other, [])):

        async def mend(uow: Any, line: JourneyLine = line) -> None:
            await JourneyRepository(uow).put(line.fold(delivered))

        await world.service.transact(mend)
        assert await failed_of(world, where) == still


async def test_what_failed_in_a_version_that_was_replaced_asks_nothing_of_anybody(world):
    where = world.foreign_site
    await stored(world, report_of(world, "replaced", where), line_of("replaced", "c", LineState.REFUSED))
    assert await failed_of(world, where) == ["replaced"]

    async def replace(uow: Any) -> None:
        await ReportRepository(uow).save(report_of(world, "replaced", where, number=2))

    async def fail(uow: Any, version: int) -> None:
        await JourneyRepository(uow).put(line_of("replaced", f"late-{version}", LineState.FAILED, version=version))

    await world.service.transact(replace)
    assert await failed_of(world, where) == []
    # News of the former version that comes late.
    await world.service.transact(fail, 1)
    assert await failed_of(world, where) == []
    await world.service.transact(fail, 2)
    assert await failed_of(world, where) == ["replaced"]
    # Another act on the report does not clear it.
    await world.service.transact(replace)
    assert await failed_of(world, where) == ["replaced"]


# Pages of a list

LISTS = ("waiting-ins", "to-announce", "provisional", "held", "failed")
PAGED = [f"paged-{number}" for number in range(7)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paged(world: Any) -> None:
    """Seven reports of one patient; four were changed in the same transaction."""
    for number, report_id in enumerate(PAGED):
        report = report_of(world, report_id, world.foreign_site, minutes=max(0, number - 3))
        await stored(world, report.model_copy(update={"patient_id": "paged"}))
    rows = world.service.database["reports"]
    # As if each were on every list.
    await rows.update_many({"patient_id": "paged"}, {"$set": {"worklists": list(LISTS), "failed": True}})


async def walked(caller: Any, path: str) -> list[list[str]]:
    """What the pages hold, one after the other, by the links they give."""
    pages, link = [], path
    while link is not None:
        answer = await caller.get(link)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        pages.append([one["report"]["report_id"] for one in body["reports"]])
        link = None if body["next"] is None else str(answer.url.join(body["next"]))
    return pages


@pytest.mark.dsr("RIS.CRR.05")
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_says_that_there_is_more_and_its_pages_hold_each_report_once(world, paged, name):
    days = "&days=366" if name == "provisional" else ""
    async with world.caller("secretary", sites=[world.foreign_site]) as caller:
        pages = await walked(caller, f"/worklists/{name}?limit=3{days}")
        whole = await walked(caller, f"/worklists/{name}?limit=200{days}")
    found = [one for page in pages for one in page if one in PAGED]
    assert [len(page) for page in pages[:2]] == [3, 3]
    assert sorted(found) == PAGED
    assert len(whole) == 1
    assert [one for page in pages for one in page] == whole[0]
    assert found[:3] == ["paged-6", "paged-5", "paged-4"]  # last changed first


@pytest.mark.parametrize(
    "search", ["patient_id=paged", "patient_id=paged&state=composed&site_id=site-ailleurs",
               "patient_id=paged&examined_from=2026-11-20&examined_to=2026-11-20"]
)  # fmt: skip
async def test_a_search_is_paged_like_the_lists_and_keeps_what_was_searched(world, paged, search):
    async with world.caller("secretary", sites=[world.foreign_site]) as caller:
        pages = await walked(caller, f"/reports?limit=2&{search}")
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert sorted(one for page in pages for one in page) == PAGED


async def test_a_full_last_page_promises_nothing_behind_it(world, paged):
    async with world.caller("secretary", sites=[world.foreign_site]) as caller:
        assert [len(page) for page in await walked(caller, "/reports?patient_id=paged&limit=7")] == [7]


@pytest.mark.parametrize("after", ["x", "12", "a.b", "9" * 40 + ".id", "1764569999123."])
async def test_a_page_that_no_list_gave_is_refused_in_french(world, after):
    async with world.caller("secretary") as caller:
        for path in ("/reports", "/worklists/held", "/pages/journey"):
            answer = await caller.get(path, params={"after": after})
            assert answer.status_code == 422
            assert answer.json()["errors"] == [
                {"field": "after", "rule": "suite de liste inconnue : reprendre au début"}
            ]


async def test_the_page_says_that_more_follow_and_leads_there(world, paged):
    async with world.caller("secretary", sites=[world.foreign_site]) as caller:
        first = await caller.get("/pages/journey?patient_id=paged&worklist=held&limit=4")
        link = re.search(r'<a [^>]*rel="next"[^>]*href="([^"]+)"', first.text)
        assert link is not None
        last = await caller.get(str(first.url.join(html.unescape(link[1]))))
    assert "4 comptes rendus affichés, d’autres suivent" in first.text
    assert "Page suivante" in first.text
    assert "3 comptes rendus" in last.text
    assert "Page suivante" not in last.text
    assert "Retour au début de la liste" in last.text
    shown = [one for text in (first.text, last.text) for one in re.findall(r'href="reports/(paged-\d)"', text)]
    assert sorted(shown) == PAGED


async def test_the_page_searches_by_site_and_day_as_its_form_sends_it(world, paged):
    blank = "state=&worklist=&patient_id=paged"
    async with world.caller("secretary", sites=[world.foreign_site, world.site]) as caller:
        page = f"/pages/journey?{blank}"
        there = await caller.get(f"{page}&site_id={world.foreign_site}&examined_from=2026-11-20&examined_to=")
        elsewhere = await caller.get(f"{page}&site_id={world.site}&examined_from=&examined_to=")
        other_day = await caller.get(f"{page}&site_id=&examined_from=2026-11-21&examined_to=")
    assert there.text.count('href="reports/paged-') == 7
    assert 'value="2026-11-20"' in there.text  # what was searched stays in the form
    for nothing in (elsewhere, other_day):
        assert nothing.status_code == 200
        assert "Aucun compte rendu à afficher." in nothing.text
