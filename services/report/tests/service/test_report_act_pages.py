"""The pages on which people act: plain forms, only what is theirs to do, and nothing that hides again."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_contracts.events import ReportSigned
from navette_report.use_cases.draft_report import draft_report

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROOF = {"x-navette-form-token": "proof-1", "Accept": "text/html"}


class Form(HTMLParser):
    """What a browser without script would send: the fields of the form and where it goes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.boxes: set[str] = set()
        self.action = self.method = ""
        self._area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action, self.method = known["action"], known["method"]
        elif tag == "textarea":
            self._area = known["name"]
            self.fields[self._area] = ""
        elif tag == "input" and known.get("type") == "checkbox":
            self.boxes.add(known["name"])
            if "checked" in known:
                self.fields[known["name"]] = known["value"]
        elif tag == "input":
            self.fields[known["name"]] = known.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area

    @property
    def without_proof(self) -> dict[str, str]:
        """The fields as the gateway sends them on."""
        return {name: value for name, value in self.fields.items() if name != "csrf_token"}


async def page(caller: Any, report_id: str, act: str) -> Form:
    answer = await caller.get(f"/pages/reports/{report_id}/acts/{act}", headers=PROOF)
    assert answer.status_code == 200, answer.text
    form = Form(answer.text)
    assert (form.action, form.method, form.fields["csrf_token"]) == (act, "post", "proof-1")
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    return form


async def send(caller: Any, report_id: str, act: str, fields: dict[str, str]) -> Any:
    return await caller.post(f"/pages/reports/{report_id}/acts/{act}", data=fields)


async def act(caller: Any, report_id: str, name: str, **more: str) -> None:
    form = await page(caller, report_id, name)
    answer = await send(caller, report_id, name, form.without_proof | more)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/pages/reports/{report_id}"


async def composed(world: Any, report_id: str) -> None:
    async def done() -> bool:
        return (await world.journey(report_id))["report"]["state"] == "composed"

    await until(done)


async def qualified(world: Any) -> str:
    return str(await world.draft(await world.known(world.new_patient())))


@pytest.mark.dsr("RIS.CRR.02", "RIS.CRR.03", "RIS.DMP.02", "RIS.DMP.06")
async def test_a_whole_life_on_forms_alone(world: Any, outbox_events: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        form = await page(doctor, report_id, "sign")
        assert {"announcement_needed", "hidden_from_professionals", "withheld_from_dmp"} <= form.boxes
        assert "secret_connection" not in form.boxes  # an adult
        assert (await send(doctor, report_id, "sign", form.without_proof | {"announcement_needed": "true"})).is_redirect
        signed = outbox_events.of(ReportSigned, report_id)[-1]
        assert (signed.announcement_needed, signed.withheld_from_dmp) == (True, False)
        await composed(world, report_id)
        await act(doctor, report_id, "announce")
        await act(doctor, report_id, "replace", conclusion="Conclusion corrigée.")
        report = (await doctor.get(f"/reports/{report_id}")).json()
        assert (report["state"], report["content"]["conclusion"]) == ("draft", "Conclusion corrigée.")
        assert report["content"]["acts"], "what the page does not write stays as it was"
        await act(doctor, report_id, "edit", findings="Résultats relus.\r\n\r\n- point")
        await act(doctor, report_id, "sign")
        await composed(world, report_id)
        await act(doctor, report_id, "withdraw", confirmed="true", reason="Erreur de patient")
        shown = (await doctor.get(f"/pages/reports/{report_id}")).text
    assert "Que faire maintenant" not in shown
    assert (await world.journey(report_id))["report"]["state"] == "withdrawn"


@pytest.mark.dsr("RIS.DMP.06")
async def test_what_was_visible_is_not_offered_for_hiding(world: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        await act(doctor, report_id, "sign")
        await composed(world, report_id)
        await act(doctor, report_id, "replace")
        form = await page(doctor, report_id, "sign")
        assert form.boxes == {"announcement_needed"} | (form.boxes - _HIDING)
        assert not form.boxes & _HIDING
        forced = await send(doctor, report_id, "sign", form.without_proof | {"hidden_from_patient": "true"})
    assert forced.status_code == 409
    assert "ne peut plus être masqué" in forced.text


_HIDING = {
    "hidden_from_patient", "hidden_from_representatives", "hidden_from_professionals", "withheld_from_dmp",
    "withheld_from_patient", "secret_connection",
}  # fmt: skip


async def test_nobody_signs_a_text_they_did_not_see(world: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor, world.caller("secretary") as secretary:
        shown = await page(doctor, report_id, "sign")
        await act(secretary, report_id, "edit", conclusion="Autre conclusion.")
        refused = await send(doctor, report_id, "sign", shown.without_proof)
        assert refused.status_code == 409
        assert "a changé depuis" in refused.text
        assert "Autre conclusion." in refused.text
        assert (await send(doctor, report_id, "sign", Form(refused.text).without_proof)).is_redirect


@pytest.mark.dsr("RIS.CRR.02")
async def test_nobody_signs_over_a_flag_they_did_not_see(world: Any, outbox_events: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor, world.caller("secretary") as secretary:
        shown = await page(doctor, report_id, "sign")
        await act(secretary, report_id, "choose", announcement_needed="true")
        refused = await send(doctor, report_id, "sign", shown.without_proof)
        assert (refused.status_code, "a changé depuis" in refused.text) == (409, True)
        assert (await page(doctor, report_id, "sign")).fields["announcement_needed"] == "true"
    assert outbox_events.of(ReportSigned, report_id) == []


async def test_a_missing_dose_is_pointed_out_and_refused_where_the_site_says_so(world: Any) -> None:
    scanner = world.samples.act(modality="CT", region="67734004")
    warned = await world.draft(await world.known(world.new_patient()), acts=[scanner])
    async with world.radiologist() as doctor:
        assert "Dose non indiquée" in (await doctor.get(f"/pages/reports/{warned}/acts/sign")).text
        assert "dose" in (await doctor.get(f"/reports/{warned}")).json()["warnings"][0]
        await act(doctor, warned, "sign")
        assert (await doctor.get(f"/reports/{warned}")).json()["warnings"] == []
    place = world.foreign_site
    patient = await world.known(world.new_patient(), site_id=place)
    values = {"content": world.samples.content(acts=[scanner]), "author": "user-1"}
    strict = (await world.service.transact(draft_report, patient_id=patient, site_id=place, **values)).report_id
    async with world.radiologist(sites=[place]) as doctor:
        refused = await doctor.post(f"/reports/{strict}/sign", json={})
        assert (refused.status_code, "dose" in refused.json()["detail"]) == (409, True)
        await act(doctor, strict, "edit", dose_unavailable="true")
        await act(doctor, strict, "sign")


async def test_each_member_of_the_team_is_offered_their_own_acts(world: Any, make_rpps: Any) -> None:
    report_id = await qualified(world)
    path = f"/pages/reports/{report_id}"
    offered = re.compile(r"/acts/([a-z]+)\"")
    async with world.caller("secretary") as secretary, world.radiologist() as doctor:
        assert set(offered.findall((await secretary.get(path)).text)) == {"edit", "choose"}
        assert "Réservé à d’autres" in (await secretary.get(path)).text
        assert set(offered.findall((await doctor.get(path)).text)) == {"edit", "choose", "propose", "sign"}
        await act(secretary, report_id, "choose", announcement_needed="true")
        assert "announcement_needed" in (await page(doctor, report_id, "sign")).fields
        assert (await secretary.get(f"{path}/acts/sign")).status_code == 303
        form = await page(doctor, report_id, "sign")
        assert (await send(secretary, report_id, "sign", form.without_proof)).status_code == 403
        other = make_rpps(31)
        await act(doctor, report_id, "propose", co_readers=other)
        assert "sign" not in offered.findall((await doctor.get(path)).text)
        async with world.radiologist(rpps=other, name="Alex SECOND-LECTEUR", sub="user-2") as second:
            assert "agree" in offered.findall((await second.get(path)).text)
            # Who is the last to agree may sign at once.
            assert "sign" in offered.findall((await second.get(path)).text)
            await act(second, report_id, "agree")
        assert "agree" not in offered.findall((await doctor.get(path)).text)
        await act(doctor, report_id, "sign")


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("withdraw", {}, "Confirmation : champ obligatoire"),
        ("withdraw", {"confirmed": "true", "reason": "漢字"}, "Motif : contient un caractère"),
    ],
)
async def test_a_form_that_is_not_complete_says_what_is_missing(
    world: Any, name: str, fields: dict[str, str], said: str
) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        await act(doctor, report_id, "sign")
        await composed(world, report_id)
        form = await page(doctor, report_id, name)
        refused = await send(doctor, report_id, name, form.without_proof | fields)
    assert refused.status_code == 422
    assert said in refused.text
    assert (await world.journey(report_id))["report"]["state"] == "composed"


async def test_wrong_co_readers_are_refused_and_what_was_typed_stays(world: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        form = await page(doctor, report_id, "propose")
        refused = await send(doctor, report_id, "propose", form.without_proof | {"co_readers": "1234 <b>"})
    assert refused.status_code == 422
    assert "Confrères : numéro RPPS de 11 chiffres attendu" in refused.text
    assert "1234 &lt;b&gt;" in refused.text


@pytest.mark.dsr("RIS.CRR.04")
async def test_the_page_asks_another_radiologist_to_say_that_they_take_the_reading_over(
    world: Any, make_rpps: Any
) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        assert "take_over" not in (await page(doctor, report_id, "propose")).fields
        await act(doctor, report_id, "propose", co_readers=make_rpps(31))
        assert "take_over" not in (await page(doctor, report_id, "propose")).fields
    async with world.radiologist(rpps=make_rpps(33), name="Lou TIERS-LECTEUR", sub="user-3") as other:
        form = await page(other, report_id, "propose")
        asked = form.without_proof | {"co_readers": make_rpps(34)}
        refused = await send(other, report_id, "propose", asked)
        assert refused.status_code == 409
        assert f"RPPS {world.rpps}" in refused.text
        assert (await send(other, report_id, "propose", asked | {"take_over": "true"})).status_code == 303


async def test_an_act_already_done_elsewhere_is_not_done_twice(world: Any) -> None:
    report_id = await qualified(world)
    async with world.radiologist() as doctor:
        form = await page(doctor, report_id, "sign")
        await act(doctor, report_id, "sign")
        again = await send(doctor, report_id, "sign", form.without_proof)
        assert again.status_code == 409
        assert "n’est plus possible" in again.text
        assert "<form" not in again.text
        assert (await doctor.post(f"/pages/reports/{report_id}/acts/sign", json={})).status_code == 415
        assert (await doctor.get(f"/pages/reports/{report_id}/acts/hide")).status_code == 422
    async with world.radiologist(sites=[world.other_site]) as stranger:
        assert (await stranger.get(f"/pages/reports/{report_id}/acts/withdraw")).status_code == 404
        assert (await send(stranger, report_id, "withdraw", {"confirmed": "true"})).status_code == 404
