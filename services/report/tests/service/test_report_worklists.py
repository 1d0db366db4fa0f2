"""The list of what did not arrive: each site finds its own, however much failed elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
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
