"""No list, search or act of a day reads a whole collection that grows: each question begins at an indexed field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from navette_chassis.testing import Questions, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROWING = frozenset({"reports", "journey_lines", "documents.files", "documents.chunks", "patients"})
LISTS = ("waiting-ins", "to-announce", "provisional", "held", "failed")


@pytest.fixture
def questions() -> Iterator[Questions]:
    with listening() as heard:
        yield heard


@pytest.mark.timeout(240)
@pytest.mark.dsr("RIS.CRR.05")
async def test_a_day_of_the_service_asks_nothing_that_reads_a_whole_collection(questions, world_with):
    async with world_with() as world:
        await _a_day(world)
        database = world.service.database
        assert await questions.unfit(database, GROWING) == {}
        kept = (await database["reports"].index_information()).values()
        fields = [[field for field, _ in one["key"]] for one in kept]
        # A list by site has an index of its own: the one of the sites leads to all their reports.
        for mark in ([], ["worklists"], ["failed"]):
            assert [*mark, "site_id", "updated_at", "_id"] in fields
    assert {"reports", "journey_lines", "patients"} <= set(questions.asked)
    listed = [set(one) for one in questions.asked["reports"]]
    # Of the sites of the reader in the question itself; what follows a page by plain ranges, never an alternative.
    assert {"failed", "site_id"} in listed
    assert {"failed", "site_id", "updated_at"} in listed
    assert not any("$or" in one for one in listed)


async def _a_day(world: Any) -> None:
    """Written, signed, composed, announced, replaced, withdrawn; every list, search, page and figure."""
    patient_id = await world.known(world.new_patient())
    report_id = await world.signed(patient_id, announcement_needed=True)
    await world.become(report_id, corr_1="scheduled", dmp="scheduled")
    async with world.radiologist() as doctor:
        for act, body in (("announce", None), ("withdraw", {"reason": "erreur"})):
            assert (await doctor.post(f"/reports/{report_id}/{act}", json=body)).status_code == 200
        after = f"9999999999999.{report_id}"
        for name in LISTS:
            assert (await doctor.get(f"/worklists/{name}?after={after}")).status_code == 200
            assert (await doctor.get(f"/worklists/{name}")).status_code == 200
            assert (await doctor.get(f"/pages/journey?worklist={name}")).status_code == 200
        for search in ("", "?state=draft", f"?patient_id={patient_id}", f"?site_id={world.site}"):
            assert (await doctor.get(f"/reports{search}")).status_code == 200
        dated = "/reports?examined_from=2026-11-01&examined_to=2026-11-30"
        for path in (dated, f"/reports/{report_id}/journey", f"/pages/reports/{report_id}"):
            assert (await doctor.get(path)).status_code == 200
    async with world.caller("administrator") as administrator:
        assert (await administrator.get("/activity")).status_code == 200
