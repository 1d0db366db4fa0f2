"""The REST API: what it refuses, whom it answers, what it records."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import httpx
import pytest
from joserfc.jwk import ECKey
from navette_contracts.events import ReportSigned

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_a_radiologist_with_an_rpps_from_the_sign_on_signs(world):
    report_id = await world.draft(world.new_patient())
    async with world.caller("secretary", rpps=world.rpps) as secretary:
        assert (await secretary.post(f"/reports/{report_id}/sign", json={})).status_code == 403
    async with world.radiologist(rpps=None) as nobody:
        refused = await nobody.post(f"/reports/{report_id}/sign", json={})
    assert refused.status_code == 409
    assert "RPPS" in refused.json()["detail"]
    async with world.radiologist() as radiologist:
        cheating = await radiologist.post(f"/reports/{report_id}/sign", json={"rpps": "99700000027"})
    assert cheating.status_code == 422
    assert (await world.journey(report_id))["report"]["state"] == "draft"


async def test_nobody_signs_twice(world):
    report_id = await world.signed(world.new_patient())
    again = await world.sign(report_id)
    assert again.status_code == 409
    assert again.json()["detail"] == "Ce compte rendu n’est plus un brouillon : il est déjà validé."


async def test_two_signatures_at_once_leave_one(world, outbox_events):
    report_id = await world.draft(world.new_patient())
    answers = await asyncio.gather(world.sign(report_id), world.sign(report_id))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len({event.signed_at for event in outbox_events.of(ReportSigned, report_id)}) >= 1
    assert (await world.journey(report_id))["report"]["version"] == 1


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"hidden_from_professionals": True, "hidden_from_patient": True}, "à la fois masqué"),
        ({"hidden_from_professionals": True, "announcement_needed": True}, "à annoncer"),
    ],
)
async def test_forbidden_choices_are_refused_with_the_reason(world, choices, sentence):
    report_id = await world.draft(world.new_patient())
    refused = await world.sign(report_id, **choices)
    assert refused.status_code == 409
    assert sentence in refused.json()["detail"]


async def test_an_incomplete_report_is_not_signed(world):
    report_id = await world.draft(world.new_patient(), conclusion="")
    refused = await world.sign(report_id)
    assert (refused.status_code, refused.json()["detail"]) == (409, "Le compte rendu n’a pas de conclusion.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        (b'{"patient_id": "p", "site_id": "site-nord", "content": {}, "extra": 1}', 422),
    ],
)
async def test_malformed_drafts_are_refused(world, body, status):
    async with world.caller("secretary") as caller:
        refused = await caller.post("/reports", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == status
    assert refused.headers["content-type"].startswith("application/problem+json")


async def test_an_invalid_field_is_named_and_its_value_is_not_repeated(world):
    content = world.samples.content().model_dump(mode="json")
    content["correspondents"][0]["rpps"] = "12345678901"
    async with world.caller("secretary") as caller:
        refused = await caller.post("/reports", json={"patient_id": "p", "site_id": world.site, "content": content})
    assert refused.status_code == 422
    assert "rpps" in refused.json()["errors"][0]["field"]
    assert "12345678901" not in refused.text


async def test_a_site_that_is_not_mine_is_closed_to_me(world):
    report_id = await world.draft(world.new_patient())
    content = world.samples.content().model_dump(mode="json")
    async with world.caller(
        "radiologist", sites=[world.other_site], rpps=world.rpps, name="Camille EXEMPLE"
    ) as stranger:
        for method, path in (
            ("GET", "/reports/{}"),
            ("GET", "/reports/{}/journey"),
            ("GET", "/reports/{}/document.pdf"),
            ("GET", "/reports/{}/events"),
            ("GET", "/pages/reports/{}"),
            ("POST", "/reports/{}/sign"),
        ):
            elsewhere, nowhere = [
                await stranger.request(method, path.format(one), json={} if method == "POST" else None)
                for one in (report_id, "0199c0de-0000-7000-8000-000000000001")
            ]
            assert elsewhere.status_code == nowhere.status_code == 404, path
            assert elsewhere.content == nowhere.content, "nobody learns which reports exist"
        body = {"patient_id": "p", "site_id": world.site, "content": content}
        assert (await stranger.post("/reports", json=body)).status_code == 403
        listed = (await stranger.get("/reports")).json()["reports"]
    assert report_id not in {one["report"]["report_id"] for one in listed}


async def test_without_a_token_or_with_a_forged_one_nothing_is_answered(world):
    forger = dataclasses.replace(world, key=ECKey.generate_key("P-256", {"kid": "test"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url="http://report") as anyone:
        assert (await anyone.get("/reports")).status_code == 401
        assert (await anyone.get("/pages/journey")).status_code == 401
    async with forger.caller("secretary") as caller:
        assert (await caller.get("/reports")).status_code == 401
    async with world.caller("secretary", exp=int(time.time()) - 60, iat=int(time.time()) - 120) as late:
        assert (await late.get("/reports")).status_code == 401


async def test_what_does_not_exist_is_not_found(world):
    async with world.caller("secretary") as caller:
        assert (await caller.get("/reports/none")).status_code == 404
        assert (await caller.get("/pages/assets/secret.js")).status_code == 404
        draft = await world.draft(world.new_patient())
        assert (await caller.get(f"/reports/{draft}/document.pdf")).status_code == 404
    async with world.caller(kind="service", subject="dmp") as dmp:
        assert (await dmp.get("/internal/documents/none/cda")).status_code == 404


async def test_documents_go_to_the_sending_services_only_and_each_access_is_audited(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    document_id = (await world.journey(report_id))["report"]["editions"][0]["document_id"]
    path = f"/internal/documents/{document_id}/pdf"
    async with world.radiologist() as person:
        assert (await person.get(path)).status_code == 403
    async with world.caller(kind="service", subject="ins") as ins:
        assert (await ins.get(path)).status_code == 403
    async with world.caller(kind="service", subject="mss") as mss:
        assert (await mss.get(path)).status_code == 200
    async with world.caller("secretary", subject="user-9") as secretary:
        pdf = await secretary.get(f"/reports/{report_id}/document.pdf")
    assert pdf.content.startswith(b"%PDF-1.4")
    recorded = [
        (event.actor, event.action, event.outcome)
        for event, _ in outbox_events.seen
        if event.type == "access.recorded.v1" and event.object_id in (document_id, report_id)
    ]
    assert ("ins", "document.pdf", "refused") in recorded
    assert ("mss", "document.pdf", "granted") in recorded
    assert ("user-9", "document.read", "granted") in recorded
    assert ("user-1", "report.sign", "granted") in recorded


async def test_reports_are_listed_by_state_last_changed_first(world):
    first, second = await world.draft(world.new_patient()), await world.draft(world.new_patient())
    async with world.caller("technologist") as caller:
        drafts = (await caller.get("/reports", params={"state": "draft", "limit": 2})).json()["reports"]
        assert (await caller.get("/reports", params={"state": "nonsense"})).status_code == 422
    assert [one["report"]["report_id"] for one in drafts] == [second, first]
