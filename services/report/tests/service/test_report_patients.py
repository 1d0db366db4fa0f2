"""About whom a report may be written: never about somebody unknown, nor of a group that shares no identities."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree
from navette_chassis.testing import until
from navette_contracts.events import PatientMerged, ReportComposed

pytestmark = pytest.mark.asyncio(loop_scope="module")
HL7 = "{urn:hl7-org:v3}"


async def test_a_patient_nobody_knows_gets_no_report(world: Any) -> None:
    refused = await world.post_draft(world.new_patient())
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "patient_id", "rule": "patient inconnu"}]
    assert "recommencez dans un instant" in refused.json()["detail"]


async def test_a_merged_record_gets_no_new_report(world: Any) -> None:
    absorbed = await world.known(world.new_patient())
    await world.emit(PatientMerged(surviving_id=world.new_patient(), absorbed_id=absorbed, revision=2))

    async def merged() -> bool:
        return (await world.post_draft(absorbed)).status_code == 422

    await until(merged)
    assert "a été fusionné" in (await world.post_draft(absorbed)).json()["detail"]


@pytest.mark.dsr("RIS.INS.38")
async def test_a_patient_of_another_group_gets_no_report_here_and_the_attempt_is_recorded(
    world: Any, outbox_events: Any
) -> None:
    patient = await world.known(world.new_patient(), site_id=world.foreign_site)
    refused = await world.post_draft(patient, subject="user-11")
    nobody = await world.post_draft(world.new_patient(), subject="user-13")
    assert (refused.status_code, refused.json()) == (422, nobody.json()), "nobody learns here whom others know"
    # Working for both groups does not make one identity domain of them.
    both = [world.site, world.foreign_site]
    told = await world.post_draft(patient, sites=both)
    assert told.status_code == 403
    assert "enregistrez-le d’abord sur ce site" in told.json()["detail"]
    assert (await world.post_draft(patient, world.foreign_site, sites=both)).status_code == 201
    seen = [
        (event.action, event.outcome) for event, _ in outbox_events.seen if getattr(event, "actor", "") == "user-11"
    ]
    assert seen == [("report.draft", "refused")]


async def test_the_sites_of_a_group_share_their_patients_and_each_use_is_recorded(
    world: Any, outbox_events: Any
) -> None:
    patient = await world.known(world.new_patient(), site_id=world.other_site)
    answer = await world.post_draft(patient, subject="user-12")
    assert answer.status_code == 201
    report_id = answer.json()["report_id"]
    seen = [
        (event.action, event.object_id, event.site_id)
        for event, _ in outbox_events.seen
        if getattr(event, "actor", "") == "user-12"
    ]
    assert ("identity.use", patient, world.other_site) in seen
    async with world.caller("secretary") as caller:
        assert "EXEMPLE ALIX" in (await caller.get(f"/pages/reports/{report_id}")).text


@pytest.mark.dsr("DB.SO.16")
async def test_the_ipp_is_the_one_of_the_site_that_identified_the_patient(world: Any, outbox_events: Any) -> None:
    patient = await world.known(world.new_patient(), site_id=world.other_site)
    report_id = str((await world.post_draft(patient)).json()["report_id"])
    await world.sign(report_id)
    await world.become(report_id, dmp="scheduled")
    document_id = outbox_events.of(ReportComposed, report_id)[-1].document.document_id
    async with world.caller(kind="service", subject="dmp") as dmp:
        root = etree.fromstring((await dmp.get(f"/internal/documents/{document_id}/cda")).content)
    ids = {one.get("root"): one.get("extension") for one in root.find(f".//{HL7}patientRole").findall(f"{HL7}id")}
    assert ids["1.2.250.1.999.7.2.5"] == "IPP000123"
    assert "1.2.250.1.999.7.1.5" not in ids


async def test_an_identity_that_turns_out_to_be_of_another_group_is_neither_sent_nor_named(world: Any) -> None:
    patient = world.new_patient()
    report_id = await world.signed(patient)
    await world.known(patient, site_id=world.foreign_site)

    async def told() -> bool:
        return (await world.lines(report_id))["dmp"]["reason"] == "identity_of_another_entity"

    await until(told)
    async with world.caller("secretary") as caller:
        page = (await caller.get(f"/pages/reports/{report_id}")).text
        listed = (await caller.get("/pages/journey")).text
    assert "EXEMPLE ALIX" not in page
    assert "Patient d’un autre établissement" in page
    assert "Patient d’un autre établissement" in listed
