"""Whose text is it, and is it all there? Messages that ran together, numbers of others, what would go unseen."""

from __future__ import annotations

import base64
from datetime import UTC
from typing import Any

import pytest
from navette_contracts.events import Ins
from navette_documents.hl7v2 import parse
from navette_report.domain.intake import cda
from navette_report.domain.intake.bodies import body_of
from navette_report.domain.intake.claims import Form, Unfit
from navette_report.domain.intake.reading import read_report
from navette_report.domain.intake.sections import cut
from navette_report.domain.intake.senders import Sender

INS = Ins(matricule="284053818504213", oid="1.2.250.1.213.1.4.10")
NEIGHBOUR = b"PID|2||555^^^CH-TEST&990000019&M^PI||VOISIN^PAUL^^^^^L||19700101|M\r"
RESULT = b"OBR|2|PL9|ACN999|TDMTHO\rOBX|9|TX|GDT||CONCLUSION : celle du voisin.||||||F\r"


@pytest.mark.parametrize(
    ("more", "location"),
    [
        (b"MSH|^~\\&|OLDRIS|CH-TEST|||20261105||ORU^R01|O7|T|2.3.1\r" + NEIGHBOUR + RESULT, "MSH^2"),
        (NEIGHBOUR + RESULT, "PID^2"),
    ],
)
async def test_the_text_of_another_patient_in_the_same_frame_never_enters_the_report(
    links: Any, oru: Any, more: bytes, location: str
) -> None:
    await links.identify()
    answer = await links.raw(oru() + more)
    assert b"MSA|AE|O0004" in answer
    assert parse(answer).require("ERR").raw(2) == location
    listed = (await links.ask("GET", "/intake/messages"))["messages"]
    assert ["séparer" in one["reason_label"] for one in listed] == [True]
    assert await links.reports() == []
    # The next one, alone, is taken.
    await links.take(oru(MSH_10="O8"))


async def test_results_of_two_examinations_are_not_one_report(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru() + RESULT, "waiting")
    assert row["reason"] == "several_exams"
    assert await links.reports() == []
    # Two acts of one examination are one report.
    await links.take(oru(MSH_10="O8") + RESULT.replace(b"ACN999", b"ACN778"))


async def test_who_sends_for_one_site_names_no_document_of_another(links: Any, reference: Any) -> None:
    """The same person, the same names of system and document: a correction by the other site changes nothing here."""
    patient = await links.identify(ins=INS)
    exam = {"accession_number": "ACN778", "order_placer_number": "PL778", "study_instance_uid": "1.2.250.1.999.7"}
    exam["started_at"] = "2026-11-20T09:25:00Z"
    draft = await links.draft(patient, findings="", conclusion="", exam=exam)
    await links.take(reference("mdm_t02_legacy_text", TXA_12="DOC-1"))
    said = (await links.report(draft))["content"]["conclusion"]
    body = {
        "site_id": "site-sud",
        "source": "ancien-ris",
        "document_id": "DOC-1",
        "status": "corrected",
        "patient": {
            "ins": {"matricule": INS.matricule, "oid": INS.oid},
            "birth_name": "EXEMPLE",
            "first_birth_given_name": "ALIX",
            "birth_date": "1984-05-12",
        },
        "exam": {"accession_number": "SUD-1"},
        "author_rpps": links.rpps(27),
        "text": "CONCLUSION : d’un autre site.",
    }
    async with links.caller("secretary", sites=["site-sud"]) as http:
        answer = await http.post("/intake/reports", json=body, headers={"Idempotency-Key": "key-00001"})
    assert answer.status_code == 202, answer.text
    assert (await links.report(draft))["content"]["conclusion"] == said


async def test_a_report_sent_again_after_it_was_annulled_is_for_the_radiologist(links: Any, oru: Any) -> None:
    await links.identify()
    await links.take(oru())
    await links.take(oru(MSH_10="O8", OBR_25="X"), "to_review")
    row = await links.take(oru(MSH_10="O9"), "waiting")
    assert row["reason"] == "sent_again_after_cancelling"


async def test_a_report_sent_again_after_it_was_withdrawn_is_for_the_radiologist(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    await links.sign(row["report_id"])
    await links.composed(row["report_id"])
    await links.ask("POST", f"/reports/{row['report_id']}/withdraw", roles=("radiologist",), json={})
    assert (await links.take(oru(MSH_10="O9"), "waiting"))["reason"] == "report_withdrawn"


async def test_the_text_beside_a_pdf_is_the_text_of_the_draft(links: Any, oru: Any) -> None:
    await links.identify()
    pdf = base64.b64encode(b"%PDF-1.4 copie").decode().encode()
    row = await links.take(oru() + b"OBX|9|ED|PDF||^application^pdf^Base64^" + pdf + b"||||||F\r")
    report = await links.report(row["report_id"])
    assert report["content"]["conclusion"] == "examen normal."
    async with links.caller("secretary") as http:
        assert (await http.get(f"/reports/{row['report_id']}/received")).content == b"%PDF-1.4 copie"


@pytest.mark.parametrize(
    "more",
    [
        b"OBX|9|NM|DLP||350|mGy.cm|||||F\r",
        b"OBX|9|CWE|BIRADS||4^ACR 4^LOCAL||||||F\r",
        b"NTE|1||Appel du correspondant\r",
        b"OBX|9|RP|IMG||\\E\\serveur\\E\\images||||||F\r",
        b"OBX|9|TX|GDT||ligne d'un autre||||||W\r",
    ],
)
def test_what_the_text_does_not_take_over_is_told(oru: Any, more: bytes) -> None:
    body, remarks = body_of(parse(oru() + more))
    assert remarks == ("partly_taken",)
    assert body == body_of(parse(oru()))[0]


@pytest.mark.parametrize("status", ["R", "S", "I", "A"])
async def test_a_report_that_its_sender_did_not_verify_cannot_be_signed(links: Any, oru: Any, status: str) -> None:
    await links.identify()
    row = await links.take(oru(OBR_25=status), "to_review")
    assert row["remarks"] == ["preliminary"]
    assert (await links.sign(row["report_id"])).status_code == 409


@pytest.mark.parametrize("moment", ["0001", "00010101", "99991231", "99991231235959-1400", "20260230", "00000000"])
async def test_an_impossible_date_of_examination_is_for_somebody_to_set_right(
    links: Any, oru: Any, moment: str
) -> None:
    await links.identify()
    row = await links.take(oru(OBR_7=moment), "waiting")
    assert row["reason"] == "exam_date_missing"


@pytest.mark.parametrize("changes", [{"PID_5": "PAT-TROIS^CAMILLE^CAMILLE^^^^L"}, {"PID_8": "M"}])
def test_a_cda_about_a_twin_is_never_attached(reference: Any, changes: dict[str, str]) -> None:
    """Same birth name and date, and a number that both have: that of the parent who insures them."""
    sender = Sender(name="ris-y", application="RIS-Y", facility="Organisation-Y", site_id="site-nord", authority="Y")

    def read(**more: str) -> Any:
        message = parse(reference("mdm_t02_init_full", **more))
        report = read_report(message, sender, ipp_oid=None, zone=UTC, production=False)
        return cda.opened(report, zone=UTC)

    assert read().body.form is Form.PDF
    with pytest.raises(Unfit, match="cda_patient_differs"):
        read(**changes)


def test_a_line_of_blanks_costs_no_more_than_its_length() -> None:
    """By its length it takes milliseconds; by the square of it, hours, during which nothing else would be served."""
    line = " " * 2_000 + "x" * 60
    assert cut("\n".join([line] * 100)) == {"findings": "\n".join([line] * 100).strip()}


def test_a_text_longer_than_any_report_is_refused_before_it_is_taken_apart(oru: Any) -> None:
    with pytest.raises(Unfit, match="text_too_long"):
        body_of(parse(oru(OBX_5="\\.br\\" * 600_000)))


def test_a_conclusion_beside_an_rtf_is_not_lost_unseen(oru: Any) -> None:
    rtf = base64.b64encode(b"{\\rtf1 CONCLUSION : du RTF.}").decode().encode()
    body, remarks = body_of(parse(oru() + b"OBX|9|ED|RTF||^application^rtf^Base64^" + rtf + b"||||||F\r"))
    assert (body.form, dict(body.sections)) == (Form.RTF, {"conclusion": "du RTF."})
    assert "partly_taken" in remarks
