"""Corrections, cancellations, preliminary reports and repetitions: nothing doubled, lost, or signed for another."""

from __future__ import annotations

from typing import Any

import pytest
from navette_documents.hl7v2 import read_ack
from navette_report.adapters import intake_worker
from navette_report.adapters.reports import REPORTS
from navette_report.domain.lifecycle import Forbidden


async def test_the_same_report_under_another_message_number_changes_nothing(links: Any, oru: Any) -> None:
    await links.identify()
    first = await links.take(oru())
    again = await links.take(oru(MSH_10="O9"), "duplicate")
    assert again["report_id"] == first["report_id"]
    assert len(await links.reports()) == 1


async def test_another_text_under_a_known_document_waits_for_a_radiologist(links: Any, oru: Any) -> None:
    await links.identify()
    first = await links.take(oru())
    row = await links.take(oru(MSH_10="O9", OBX_5="CONCLUSION : autre"), "waiting")
    assert row["reason"] == "changed_without_correction"
    assert (await links.report(first["report_id"]))["content"]["conclusion"] == "examen normal."


async def test_a_preliminary_report_cannot_be_signed_until_its_final_text_comes(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_25="P"), "to_review")
    assert row["remarks"] == ["preliminary"]
    report = await links.report(row["report_id"])
    assert "sign" not in {one["act"] for one in report["offers"]}
    refused = await links.sign(row["report_id"])
    assert refused.status_code == 409
    assert "provisoire" in refused.json()["detail"]
    final = await links.take(oru(MSH_10="O9", OBX_5="CONCLUSION : définitif"))
    assert final["report_id"] == row["report_id"]
    assert "définitif" in (await links.report(row["report_id"]))["content"]["conclusion"]
    assert len(await links.reports()) == 1


async def test_a_document_that_becomes_authenticated_by_t04_may_be_signed(links: Any, reference: Any) -> None:
    patient = await links.identify()
    draft = await links.draft(patient, findings="", conclusion="", exam=_exam())
    await links.take(reference("mdm_t02_legacy_text", TXA_17="PA"), "to_review")
    assert (await links.sign(draft)).status_code == 409
    done = reference("mdm_t02_legacy_text", MSH_9="MDM^T04^MDM_T02", MSH_10="O9", TXA_17="AU", OBX_5="")
    await links.take(done)
    assert (await links.report(draft))["origin"]["authenticated"] is True
    assert (await links.sign(draft)).status_code == 200


async def test_a_change_of_status_alone_changes_no_text_and_is_no_other_content(links: Any, reference: Any) -> None:
    patient = await links.identify()
    draft = await links.draft(patient, findings="", conclusion="", exam=_exam())
    await links.take(reference("mdm_t02_legacy_text", TXA_17="PA"), "to_review")
    status = {"MSH_9": "MDM^T04^MDM_T02", "OBX_5": "", "TXA_17": "AU"}
    await links.take(reference("mdm_t02_legacy_text", MSH_10="O8", **status))
    # The same text once more is still the same text.
    await links.take(reference("mdm_t02_legacy_text", MSH_10="O9"), "duplicate")
    empty = await links.take(reference("mdm_t02_legacy_text", MSH_10="O10", OBX_11="C", **status), "waiting")
    assert empty["reason"] == "body_missing"
    assert (await links.report(draft))["content"]["conclusion"] == "normal & sans particularité."


async def test_a_text_somebody_here_took_over_is_never_overwritten(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_25="P"), "to_review")
    content = (await links.report(row["report_id"]))["content"] | {"findings": "Repris.", "conclusion": "Repris ici."}
    await links.ask("PUT", f"/reports/{row['report_id']}/content", json=content)
    late = await links.take(oru(MSH_10="O9"), "waiting")
    assert late["reason"] == "draft_written_here"
    assert (await links.report(row["report_id"]))["content"]["conclusion"] == "Repris ici."
    assert (await links.sign(row["report_id"])).status_code == 200


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_correction_of_a_signed_report_is_the_draft_of_its_next_version(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    assert (await links.sign(row["report_id"])).status_code == 200
    # Sent at once: the document of the first version may still be in the making.
    corrected = await links.take(oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : corrigé"))
    assert (corrected["report_id"], corrected["version"]) == (row["report_id"], 2)
    report = await links.report(row["report_id"])
    assert [one["state"] for one in report["versions"]] == ["composed", "draft"]
    assert "corrigé" in report["content"]["conclusion"]
    assert (await links.sign(row["report_id"])).status_code == 200
    await links.composed(row["report_id"])
    again = await links.take(oru(MSH_10="O10", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : corrigé"), "duplicate")
    assert again["report_id"] == row["report_id"]


async def test_corrections_that_meet_a_report_being_composed_keep_their_order(
    links: Any, oru: Any, monkeypatch: Any
) -> None:
    """Its document is ready between the two: the one that was too early is not applied after the other."""
    await links.identify()
    row = await links.take(oru())
    assert (await links.sign(row["report_id"])).status_code == 200
    await links.composed(row["report_id"])
    report = {"_id": row["report_id"]}

    async def stands(state: str) -> None:
        await links.service.database[REPORTS].update_one(report, {"$set": {"report.versions.0.state": state}})

    integrate = intake_worker.integrate_report_message
    met = []

    async def composed_once_it_was_too_early(*arguments: Any) -> Any:
        try:
            return await integrate(*arguments)
        except Forbidden as refused:
            met.append(refused.rule)
            await stands("composed")
            raise

    monkeypatch.setattr(intake_worker, "integrate_report_message", composed_once_it_was_too_early)
    await stands("signed")
    first = oru(MSH_10="M1", OBR_25="C", OBX_5="RESULTAT : un~CONCLUSION : première correction")
    second = oru(MSH_10="M2", OBR_25="C", OBX_5="RESULTAT : deux~CONCLUSION : seconde correction")
    answers = await links.raw(b"\x0b" + first + b"\x1c\r\x0b" + second + b"\x1c\r", framed=False)
    assert read_ack(answers).code == "AA"
    await links.become("M1", "integrated")
    await links.become("M2", "integrated")
    assert met[0] == "replace_not_allowed_when_signed"
    assert "seconde" in (await links.report(row["report_id"]))["content"]["conclusion"]


async def test_a_t10_must_name_the_last_document(links: Any, reference: Any) -> None:
    patient = await links.identify()
    await links.draft(patient, findings="", conclusion="", exam=_exam())

    def mdm(number: str, document: str, replaced: str, text: str) -> bytes:
        event = "MDM^T10^MDM_T02" if replaced else "MDM^T02^MDM_T02"
        words = f"CONCLUSION : {text}"
        changes = {"MSH_9": event, "MSH_10": number, "TXA_12": document, "TXA_13": replaced, "OBX_5": words}
        return bytes(reference("mdm_t02_legacy_text", **changes))

    first = await links.take(mdm("N1", "D1", "", "un"))
    second = await links.take(mdm("N2", "D2^Organisation-Y", "D1^Organisation-Y", "deux"))
    assert second["report_id"] == first["report_id"]
    stale = await links.take(mdm("N3", "D3", "D1", "trois"), "waiting")
    assert stale["reason"] == "not_the_last_version"
    assert (await links.report(first["report_id"]))["content"]["conclusion"] == "deux"


async def test_a_correction_of_what_was_never_received_is_a_first_version_and_says_so(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_25="C"), "to_review")
    assert row["remarks"] == ["original_unknown"]
    assert (await links.report(row["report_id"]))["version"] == 1


async def test_a_correction_waits_behind_its_original_and_goes_with_it(links: Any, oru: Any) -> None:
    await links.take(oru(), "waiting")
    behind = await links.take(oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : corrigé"), "waiting")
    assert behind["reason"] == "earlier_waiting"
    await links.identify()
    await links.become("O0004", "integrated")
    done = await links.become("O9", "integrated")
    assert "corrigé" in (await links.report(done["report_id"]))["content"]["conclusion"]
    assert len(await links.reports()) == 1


async def test_an_original_set_aside_lets_those_behind_it_go(links: Any, oru: Any) -> None:
    await links.identify(birth_name="AUTRE")
    first = await links.take(oru(), "waiting")
    await links.take(oru(MSH_10="O9", PID_5="AUTRE^ALIX^^^^^L"), "waiting")
    await links.ask("POST", f"/intake/messages/{first['_id']}/set-aside")
    await links.become("O9", "integrated")


async def test_a_draft_its_sender_annuls_cannot_be_signed(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    cancelled = await links.take(oru(MSH_10="O9", OBR_25="X"), "to_review")
    assert (cancelled["report_id"], cancelled["remarks"]) == (row["report_id"], ["cancelled_by_sender"])
    refused = await links.sign(row["report_id"])
    assert refused.status_code == 409
    assert "annulé" in refused.json()["detail"]


async def test_only_a_radiologist_withdraws_what_was_signed_here(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.sign(row["report_id"])
    await links.composed(row["report_id"])
    asked = await links.take(oru(MSH_10="O9", OBR_25="X"), "waiting")
    assert asked["reason"] == "withdrawal_asked"
    assert (await links.report(row["report_id"]))["state"] == "composed"
    body = {"reason": "Annulé par le site"}
    await links.ask("POST", f"/reports/{row['report_id']}/withdraw", roles=("radiologist",), json=body)
    done = await links.ask("POST", f"/intake/messages/{asked['_id']}/replay", json={})
    assert done["state"] == "integrated"


async def test_a_correction_of_a_withdrawn_report_waits(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.sign(row["report_id"])
    await links.composed(row["report_id"])
    await links.ask("POST", f"/reports/{row['report_id']}/withdraw", roles=("radiologist",), json={})
    late = await links.take(oru(MSH_10="O9", OBR_25="C", OBX_5="RESULTAT : revu~CONCLUSION : corrigé"), "waiting")
    assert late["reason"] == "report_withdrawn"


async def test_a_cancellation_of_what_was_never_received_waits(links: Any, oru: Any) -> None:
    await links.identify()
    assert (await links.take(oru(OBR_25="X"), "waiting"))["reason"] == "original_unknown"


async def test_a_correction_about_another_patient_never_changes_the_report(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.identify(local_id="777", birth_name="AUTRE")
    other = oru(MSH_10="O9", OBR_25="C", PID_3="777^^^CH-TEST&990000019&M^PI", PID_5="AUTRE^ALIX^^^^^L")
    assert (await links.take(other, "waiting"))["reason"] == "original_of_another_patient"
    assert (await links.report(row["report_id"]))["version"] == 1


def _exam() -> dict[str, str]:
    return {
        "accession_number": "ACN778",
        "order_placer_number": "PL778",
        "study_instance_uid": "1.2.250.1.999.7",
        "started_at": "2026-11-20T09:25:00Z",
    }
