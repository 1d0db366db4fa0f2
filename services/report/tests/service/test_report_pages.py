"""The journey pages, and what rests in the database."""

from __future__ import annotations

from typing import Any

import pytest
from navette_chassis.testing import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_journey_page_names_patients_and_says_what_blocks(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=False)
    report_id = await world.draft(patient_id, title='IRM <b>cérébrale</b> & "co"')
    await world.sign(report_id)
    await world.become(report_id, corr_1="scheduled", dmp="waiting")
    async with world.caller("secretary") as caller:
        listed = await caller.get("/pages/journey")
        page = await caller.get(f"/pages/reports/{report_id}")
        style = await caller.get("/pages/assets/journey.css")
        script = await caller.get("/pages/assets/journey.js")
    assert listed.status_code == page.status_code == style.status_code == script.status_code == 200
    for html in (listed.text, page.text):
        assert "EXEMPLE ALIX" in html
        assert "Identité non qualifiée" in html
        assert "Secrétariat" in html
        assert "<b>cérébrale</b>" not in html
        assert "IRM &lt;b&gt;cérébrale&lt;/b&gt; &amp;" in html
        assert "http://" not in html
        assert "https://" not in html
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "X-Navette-By-Itself" in script.text  # a page left open does not keep its session alive
    assert f'href="../../reports/{report_id}/document.pdf"' in page.text


async def test_a_page_that_refreshes_itself_is_one_access(world, outbox_events):
    report_id = await world.draft(world.new_patient())
    async with world.caller("secretary", subject="user-7") as caller:
        for _ in range(4):
            assert (await caller.get(f"/pages/reports/{report_id}")).status_code == 200
            assert (await caller.get("/pages/journey")).status_code == 200
    seen = [event.action for event, _ in outbox_events.seen if getattr(event, "actor", "") == "user-7"]
    assert sorted(seen) == ["journey.list", "journey.read"]


async def test_identities_are_sealed_in_the_database_too(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)

    async def projected() -> Any:
        return await world.service.database["patients"].find_one({"_id": patient_id, "revision": 1})

    row = await until(projected)
    assert "EXEMPLE" not in str(row)
    assert world.samples.identity().ins.matricule not in str(row)
