"""The scenario in which a report was written elsewhere: it arrives by HL7 v2, waits for its patient, is signed here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import patients
from navette_sandbox.scenarios.client import arrived, poll
from navette_sandbox.scenarios.old_ris import OldReport, OldRis
from navette_sandbox.scenarios.stage import Stage, of_scenario


async def play_j(stage: Stage) -> None:
    """An old RIS sends an ORU: acknowledged, kept until the patient is known, then a draft; signed here, it travels."""
    stage.say("j · an old RIS sends a report by HL7 v2; its patient is not registered yet")
    (text,) = of_scenario("j")
    one = stage.prepare(text)
    sender = group.INTAKE_SENDERS[0]
    one.site_id = sender["site_id"]
    draft = text.draft(one.requester, one.accession, one.study_uid, datetime.now().astimezone())
    report = OldReport(
        number=f"ORU{one.accession}",
        accession=one.accession,
        placer=f"D{one.accession}",
        study_uid=one.study_uid,
        exam_code=next(iter(sender["exams"])),
        examined_at=datetime.fromisoformat(draft["exam"]["started_at"]),
        author_rpps=group.RADIOLOGIST["rpps"],
        author=("RADIOLOGUE-FICTIF", "Alix"),
    )
    pki, layout = stage.sandbox.layout.pki, stage.sandbox.layout
    ris = OldRis(layout.ports["report.intake"], pki.internal_ca, *pki.pair(sender["certificate"]))
    message = report.message(patients()[text.patient], one.requester, text.content)
    codes = [(await ris.send(message)).code for _ in range(2)]
    altered = await ris.send(message.replace(b"CONCLUSION :", b"CONCLUSION : autre,"))
    stage.observe("le message de l’ancien RIS est acquitté, sa répétition aussi", codes == ["AA", "AA"], str(codes))
    stage.observe("un autre contenu sous le même numéro est refusé", altered.code == "AE", altered.code)
    waiting = await _settled(stage, report.number, "waiting")
    stage.observe(
        "le message attend son patient et dit qui doit agir",
        (waiting["reason"], waiting["who_must_act"]) == ("patient_unknown", "secretary"),
        f"{waiting['reason']} {waiting['who_must_act']}",
    )
    stage.say("j · the patient is registered and qualified: the message becomes a draft by itself")
    one.patient_id = await stage.register(text.patient)
    await stage.secretary.qualify(one.patient_id)
    one.report_id = (await _settled(stage, report.number, "integrated"))["report_id"]
    found = await stage.radiologist.get("report", f"/reports/{one.report_id}")
    same = [one.text.content["findings"] == found["content"]["findings"], found["state"] == "draft"]
    stage.observe("rien n’est signé tant qu’un radiologue ne l’a pas fait ici", all(same), found["state"])
    drafts = [one["report"] for one in (await stage.radiologist.get("report", "/reports", limit=200))["reports"]]
    twins = [one["report_id"] for one in drafts if one["accession_number"] == report.accession]
    stage.observe("un message répété ne fait qu’un compte rendu", twins == [one.report_id], str(len(twins)))
    await stage.radiologist.see_identity(one.report_id)
    await stage.radiologist.sign(one.report_id)
    await stage.wait([one], arrived, "scenario j: signed here and arrived")


async def _settled(stage: Stage, number: str, state: str) -> dict[str, Any]:
    """The received message, once it is in that state."""

    async def ask() -> list[dict[str, Any]]:
        answer = await stage.radiologist.get("report", "/intake/messages", state=state, limit=500)
        return [one for one in answer["messages"] if one["control_id"] == number]

    found = await poll(ask, bool, seconds=60, what=f"scenario j: the message is {state}")
    return found[0]
