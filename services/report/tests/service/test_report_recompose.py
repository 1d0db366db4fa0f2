"""A held document, the correction of its cause, and its composition again."""

from __future__ import annotations

from typing import Any

import pytest
from navette_chassis.testing import until
from navette_contracts.events import AccessRecorded, ReportComposed
from navette_report.adapters.workshop import Workshop
from navette_report.domain.report import Finding

pytestmark = pytest.mark.asyncio(loop_scope="module")

SENTENCE = "(CI-SIS recordTarget): The value for code SHALL be selected from value set …"


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The workshop of a service whose kit refuses every document; call it to correct the cause."""
    make = Workshop.make

    def refused(self: Any, document: Any) -> Any:
        made = make(self, document)
        object.__setattr__(made, "findings", (Finding(rule=SENTENCE, path="ClinicalDocument[1]/recordTarget[1]"),))
        return made

    monkeypatch.setattr(Workshop, "make", refused)
    return lambda: monkeypatch.setattr(Workshop, "make", make)


async def held_report(world: Any) -> str:
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = str(await world.signed(patient_id))

    async def held() -> bool:
        return bool((await world.journey(report_id))["report"]["state"] == "held")

    await until(held)
    return report_id


async def recompose(world: Any, report_id: str, *roles: str, **claims: Any) -> Any:
    async with world.caller(*roles, **claims) as caller:
        return await caller.post(f"/reports/{report_id}/recompose")


async def test_a_held_document_leaves_once_its_cause_is_corrected(world, outbox_events, refusing):
    report_id = await held_report(world)
    journey = await world.journey(report_id)
    (found,) = journey["report"]["findings"]
    # The rules of the ANS are quoted as they are.
    assert found == {"rule": SENTENCE, "path": "ClinicalDocument[1]/recordTarget[1]", "label": SENTENCE}

    again = await recompose(world, report_id, "administrator")
    assert (again.status_code, again.json()["state"]) == (200, "held")
    assert outbox_events.of(ReportComposed, report_id) == []

    refusing()
    done = await recompose(world, report_id, "radiologist")
    assert (done.status_code, done.json()["findings"]) == (200, [])
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
    assert len(outbox_events.of(ReportComposed, report_id)) == 1
    acts = [event.action for event, _ in outbox_events.seen if isinstance(event, AccessRecorded)]
    assert acts.count("report.recompose") == 2


@pytest.mark.dsr("RIS.INS.37")
async def test_a_matricule_in_the_text_holds_the_report_until_the_identity_is_qualified(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=False)
    text = "Sans anomalie. N° 2 84 05 38 185 042 | 13."
    report_id = await world.draft(patient_id, findings=text)
    assert (await world.sign(report_id)).status_code == 200

    async def held() -> bool:
        return bool((await world.journey(report_id))["report"]["findings"])

    await until(held)
    async with world.radiologist() as doctor:
        # A correction being written does not take the reason away from the page.
        corrected = world.samples.content().model_dump(mode="json")
        body = {"built_on": 1, "content": corrected}
        assert (await doctor.post(f"/reports/{report_id}/replace", json=body)).status_code == 201
        page = (await doctor.get(f"/pages/reports/{report_id}")).text
        assert "Un matricule INS figure dans le compte rendu" in page
        assert (await doctor.post(f"/reports/{report_id}/abandon")).status_code == 200
    assert outbox_events.of(ReportComposed, report_id) == []
    await world.identify(patient_id, qualified=True, revision=2)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")


async def test_only_what_is_held_is_composed_again(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    refused = await recompose(world, report_id, "radiologist")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "Aucun document de ce compte rendu n’est retenu.",
    )
    assert (await recompose(world, "report-nowhere", "radiologist")).status_code == 404


async def test_others_may_not_have_a_document_composed_again(world, outbox_events, refusing):
    report_id = await held_report(world)
    assert (await recompose(world, report_id, "secretary")).status_code == 403
    elsewhere = await recompose(world, report_id, "radiologist", sites=[world.other_site])
    assert elsewhere.status_code == 404, "as for a report that does not exist"
    refusals = [event for event, _ in outbox_events.seen if isinstance(event, AccessRecorded)]
    assert ("report.recompose", "refused") in {(event.action, event.outcome) for event in refusals}
