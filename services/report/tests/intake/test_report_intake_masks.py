"""What a sender hides stays hidden, whenever and however its message comes: no one sees what they must not see."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.dsr("RIS.DMP.06")


def hiding(message: bytes, *indicators: str, value: str = "Y") -> bytes:
    lines = (
        f"OBX|{n}|CE|{one}^x^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F\r" for n, one in _numbered(indicators)
    )
    return message + "".join(lines).encode()


def _numbered(indicators: tuple[str, ...]) -> Any:
    return enumerate(indicators, start=90)


async def hidden(links: Any, report_id: str) -> set[str]:
    """The choices that stand for the last version."""
    made = (await links.report(report_id))["versions"][-1]["choices"]
    return {name for name, value in {one["name"]: one["value"] for one in made}.items() if value}


async def test_a_mask_reaches_the_draft_of_the_examination_that_was_there_already(links: Any, oru: Any) -> None:
    patient = await links.identify()
    draft = await links.draft(patient, findings="", conclusion="", exam=_exam(accession_number="ACN778"))
    row = await links.take(hiding(oru(), "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX"))
    assert row["report_id"] == draft
    assert await hidden(links, draft) == {"hidden_from_patient", "hidden_from_representatives"}
    made = (await links.report(draft))["versions"][0]["choices"]
    assert {one["by"] for one in made} == {"intake:ancien-ris"}


async def test_the_same_text_sent_again_with_a_mask_masks_the_draft(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.take(hiding(oru(MSH_10="O9"), "MASQUE_PS"))
    assert await hidden(links, row["report_id"]) == {"hidden_from_professionals"}
    await links.take(hiding(oru(MSH_10="O10"), "MASQUE_PS"), "duplicate")
    assert len(await links.reports()) == 1


async def test_the_masks_of_a_preliminary_report_and_of_its_final_text_add_up(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(hiding(oru(OBR_25="P"), "DESTDMP", value="N"), "to_review")
    await links.take(hiding(oru(MSH_10="O9", OBX_5="CONCLUSION : définitif"), "INVISIBLE_PATIENT"))
    assert await hidden(links, row["report_id"]) == {"withheld_from_dmp", "hidden_from_patient"}


async def test_a_correction_masks_and_never_shows_what_a_person_or_an_earlier_message_hid(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(hiding(oru(), "INVISIBLE_REP_LEGAUX"))
    await links.ask("POST", f"/reports/{row['report_id']}/choices", json={"withheld_from_patient": True})
    corrected = hiding(oru(MSH_10="O9", OBR_25="C", OBX_5="CONCLUSION : revu"), "INVISIBLE_REP_LEGAUX", value="N")
    await links.take(hiding(corrected, "DESTMSSANTEPAT"))
    assert await hidden(links, row["report_id"]) == {"hidden_from_representatives", "withheld_from_patient"}
    await links.take(hiding(oru(MSH_10="O10", OBR_25="C", OBX_5="CONCLUSION : revu 2"), "INVISIBLE_PATIENT"))
    standing = {"hidden_from_representatives", "withheld_from_patient", "hidden_from_patient"}
    assert await hidden(links, row["report_id"]) == standing


async def test_a_mask_in_the_correction_of_a_signed_report_is_on_its_next_version(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    assert (await links.sign(row["report_id"])).status_code == 200
    correction = oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : revu")
    assert (await links.take(hiding(correction, "INVISIBLE_PATIENT")))["version"] == 2
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient"}
    assert (await links.sign(row["report_id"])).status_code == 200
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient"}


async def test_a_mask_on_what_was_shown_already_is_for_a_radiologist_to_decide(links: Any, oru: Any) -> None:
    """The doctor has the first version: the mask stands on the page, and nothing is signed until somebody decides."""
    await links.identify()
    row = await links.take(oru())
    report_id = row["report_id"]
    assert (await links.sign(report_id)).status_code == 200
    await links.composed(report_id)
    correction = oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : revu")
    told = await links.take(hiding(correction, "MASQUE_PS"), "to_review")
    assert told["remarks"] == ["mask_too_late"]
    assert (await links.sign(report_id)).status_code == 409
    async with links.caller("radiologist", rpps=links.rpps(27), name="Charlie RADIOLOGUE") as http:
        page = (await http.get(f"/pages/reports/{report_id}/acts/sign")).text
    assert 'name="hidden_from_professionals" value="true" checked' in page
    lifted = await links.ask("POST", f"/reports/{report_id}/choices", json={"hidden_from_professionals": False})
    assert lifted["state"] == "draft"
    assert (await links.sign(report_id)).status_code == 200


async def test_masks_that_exclude_each_other_both_stand_until_a_radiologist_decides(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(hiding(oru(), "INVISIBLE_PATIENT"))
    report_id = row["report_id"]
    await links.take(hiding(oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : revu"), "MASQUE_PS"))
    assert await hidden(links, report_id) == {"hidden_from_patient", "hidden_from_professionals"}
    refused = await links.sign(report_id)
    assert (refused.status_code, "patient" in refused.json()["detail"]) == (409, True)
    await links.ask("POST", f"/reports/{report_id}/choices", json={"hidden_from_professionals": False})
    assert (await links.sign(report_id)).status_code == 200


async def test_a_mask_after_the_signature_waits_for_a_radiologist(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    assert (await links.sign(row["report_id"])).status_code == 200
    await links.composed(row["report_id"])
    late = await links.take(hiding(oru(MSH_10="O9"), "INVISIBLE_PATIENT"), "waiting")
    assert late["reason"] == "mask_after_signature"
    (asked,) = (await links.ask("GET", "/intake/messages"))["messages"]
    assert asked["who_must_act"] == "radiologist"


async def test_a_mask_that_a_radiologist_lifted_when_signing_is_not_asked_again(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(hiding(oru(), "INVISIBLE_PATIENT"))
    async with links.caller("radiologist", rpps=links.rpps(27), name="Charlie RADIOLOGUE") as http:
        signed = await http.post(f"/reports/{row['report_id']}/sign", json={"hidden_from_patient": False})
    assert signed.status_code == 200
    await links.take(hiding(oru(MSH_10="O9"), "INVISIBLE_PATIENT"), "duplicate")


async def test_a_message_that_must_wait_masks_the_draft_all_the_same(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_25="P"), "to_review")
    content = (await links.report(row["report_id"]))["content"] | {"findings": "Repris.", "conclusion": "Repris ici."}
    await links.ask("PUT", f"/reports/{row['report_id']}/content", json=content)
    late = await links.take(hiding(oru(MSH_10="O9"), "INVISIBLE_PATIENT"), "waiting")
    assert late["reason"] == "draft_written_here"
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient"}
    behind = oru(MSH_10="O10", OBR_25="C", OBX_5="CONCLUSION : revu")
    assert (await links.take(hiding(behind, "MASQUE_PS"), "waiting"))["reason"] == "earlier_waiting"
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient", "hidden_from_professionals"}


async def test_a_document_that_cannot_be_read_masks_the_draft_all_the_same(
    links: Any, oru: Any, reference: Any
) -> None:
    await links.identify()
    row = await links.take(oru())
    broken = reference("oru_r01_legacy_pdf", MSH_10="O9", OBR_3="ACN778^OLDRIS", OBX_5="^application^pdf^Base64^!!!!")
    late = await links.take(hiding(broken, "INVISIBLE_PATIENT"), "waiting")
    assert late["reason"] == "document_unreadable"
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient"}


async def test_a_mask_about_somebody_else_touches_no_draft(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.identify(local_id="777", birth_name="AUTRE")
    other = oru(MSH_10="O9", OBR_25="C", PID_3="777^^^CH-TEST&990000019&M^PI", PID_5="AUTRE^ALIX^^^^^L")
    await links.take(hiding(other, "INVISIBLE_PATIENT"), "waiting")
    assert await hidden(links, row["report_id"]) == set()


async def test_who_opened_the_report_before_the_mask_came_cannot_sign_without_seeing_it(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    path = f"/reports/{row['report_id']}"
    async with links.caller("radiologist", rpps=links.rpps(27), name="Charlie RADIOLOGUE") as http:
        shown = (await http.get(path)).headers["etag"]
        await links.take(hiding(oru(MSH_10="O9"), "INVISIBLE_PATIENT"))
        # What the page sends: every box that was not ticked says no.
        sent = {"hidden_from_patient": False}
        refused = await http.post(f"{path}/sign", json=sent, headers={"If-Match": shown})
        assert refused.status_code == 412
        assert (await links.report(row["report_id"]))["state"] == "draft"
        now = (await http.get(path)).headers["etag"]
        assert (await http.post(f"{path}/sign", json={}, headers={"If-Match": now})).status_code == 200
    assert await hidden(links, row["report_id"]) == {"hidden_from_patient"}


async def test_what_the_sender_does_not_want_sent_to_doctors_is_told_before_the_signature(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(hiding(oru(), "DESTMSSANTEPS", value="N"), "to_review")
    assert row["remarks"] == ["professionals_not_wanted"]


def _exam(**changes: str) -> dict[str, str]:
    return {
        "accession_number": "ACN778",
        "order_placer_number": "PL778",
        "study_instance_uid": "1.2.250.1.999.7",
        "started_at": "2026-11-20T09:25:00Z",
    } | changes
