"""From the old system's message to a signed report, and everything that may happen to it on the way."""

from __future__ import annotations

from typing import Any

import pytest
from navette_contracts.events import Ins

INS = Ins(matricule="284053818504213", oid="1.2.250.1.213.1.4.10")


async def test_a_received_report_becomes_a_draft_that_a_radiologist_signs(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    draft = await links.report(row["report_id"])
    assert draft["state"] == "draft"
    assert draft["signed_by_rpps"] is None
    content = draft["content"]
    assert content["findings"] == "pas d'anomalie pleuro-parenchymateuse."
    assert content["conclusion"] == "examen normal."
    assert content["indication"] == "dyspnée"
    assert content["title"] == "Scanner thoracique"
    assert content["exam"]["accession_number"] == "ACN778"
    assert content["exam"]["order_placer_number"] == "PL778"
    assert content["exam"]["started_at"] == "2026-11-06T09:30:00+01:00"
    assert [one["rpps"] for one in content["correspondents"]] == [links.rpps(1)]
    origin = draft["origin"]
    assert (origin["sender"], origin["author_rpps"], origin["form"]) == ("ancien-ris", links.rpps(27), "text")
    assert (await links.sign(row["report_id"])).status_code == 200
    await links.composed(row["report_id"])


async def test_what_was_authenticated_elsewhere_is_still_a_draft_here(links: Any, reference: Any) -> None:
    """TXA-17 says LA: that is told, and it is no signature."""
    patient = await links.identify()
    empty = await links.draft(patient, findings="", conclusion="", exam=_exam())
    row = await links.take(reference("mdm_t02_legacy_text", TXA_15="ACN-2026-004211", TXA_14="OPN-2026-0917"))
    assert row["report_id"] == empty
    report = await links.report(empty)
    assert report["state"] == "draft"
    assert report["origin"]["authenticated"] is True
    assert report["content"]["conclusion"] == "normal & sans particularité."


async def test_a_pdf_is_kept_beside_a_draft_whose_text_is_to_be_written(
    links: Any, reference: Any, samples: Any
) -> None:
    await links.identify()
    data = reference("oru_r01_legacy_pdf") + b"ZDS|1.2.250.1.999.1.7\r"
    row = await links.take(data, "to_review")
    assert row["remarks"] == ["text_to_write"]
    report = await links.report(row["report_id"])
    assert report["content"]["findings"] == ""
    refused = await links.sign(row["report_id"])
    assert refused.status_code == 409
    assert refused.json()["detail"] == "Le compte rendu n’a pas de résultats."
    async with links.caller("secretary") as http:
        original = await http.get(f"/reports/{row['report_id']}/received")
    assert original.headers["content-type"] == "application/pdf"
    assert original.headers["cache-control"] == "no-store"
    assert original.content.startswith(b"%PDF-1.4")
    async with links.caller("secretary", sites=["site-sud"]) as http:
        assert (await http.get(f"/reports/{row['report_id']}/received")).status_code == 404


@pytest.mark.dsr("RIS.INS.37")
async def test_the_patient_is_found_by_the_validated_ins_and_by_nothing_less(links: Any, oru: Any) -> None:
    await links.identify(ins=INS, local_id=None)
    number = "284053818504213^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
    assert (await links.take(oru(PID_3=number)))["report_id"]
    provisional = oru(PID_3=number, PID_32="PROV", MSH_10="P1", OBR_3="ACN779", ORC_3="ACN779")
    assert (await links.take(provisional, "waiting"))["reason"] == "no_usable_identifier"


@pytest.mark.dsr("RIS.INS.38")
async def test_an_ins_finds_a_patient_of_another_site_within_the_identity_domain_only(links: Any, oru: Any) -> None:
    number = "284053818504213^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
    await links.identify(ins=INS, local_id="1", site="site-ailleurs")
    assert (await links.take(oru(PID_3=number), "waiting"))["reason"] == "patient_unknown"
    patient = await links.identify(ins=INS, local_id="2", site="site-sud")
    done = await links.become("O0004", "integrated")
    assert (await links.report(done["report_id"]))["patient_id"] == patient


async def test_a_patient_who_comes_later_releases_the_message_by_himself(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    assert row["reason"] == "patient_unknown"
    assert await links.reports() == []
    await links.identify()
    released = await links.become("O0004", "integrated")
    assert (await links.report(released["report_id"]))["state"] == "draft"


async def test_traits_that_differ_wait_and_leave_once_the_record_is_corrected(links: Any, oru: Any) -> None:
    patient = await links.identify(birth_name="EXAMPLE")
    row = await links.take(oru(), "waiting")
    assert (row["reason"], row["remarks"]) == ("traits_differ", ["birth_name"])
    await links.identify(patient, revision=2)
    await links.become("O0004", "integrated")


async def test_a_number_of_another_site_or_of_a_former_revision_finds_nobody(links: Any, oru: Any) -> None:
    await links.identify(site="site-sud")
    assert (await links.take(oru(), "waiting"))["reason"] == "patient_unknown"
    patient = await links.identify(local_id="100299")
    await links.identify(patient, revision=2, local_id="100300")
    other = oru(MSH_10="O5", PID_3="100299^^^CH-TEST&990000019&M^PI", OBR_3="ACN5", ORC_3="ACN5")
    assert (await links.take(other, "waiting"))["reason"] == "patient_unknown"


async def test_a_merged_record_is_answered_by_the_one_that_took_it_over(links: Any, oru: Any) -> None:
    absorbed, surviving = await links.identify(), await links.identify(local_id="200300")
    await links.merge(absorbed, surviving)
    row = await links.take(oru())
    assert (await links.report(row["report_id"]))["patient_id"] == surviving


# --- the examination --------------------------------------------------------------------------------------------------


async def test_the_text_goes_into_the_draft_that_names_the_examination(links: Any, reference: Any) -> None:
    patient = await links.identify()
    draft = await links.draft(patient, findings="", conclusion="", exam=_exam(accession_number="ACN778"))
    row = await links.take(reference("oru_r01_legacy_text", ORC_2="OPN-2026-0917", OBR_2="OPN-2026-0917"))
    assert row["report_id"] == draft
    report = await links.report(draft)
    assert report["title"] == "IRM cérébrale"
    assert report["content"]["conclusion"] == "examen normal."
    assert report["content"]["exam"]["study_instance_uid"] == "1.2.250.1.999.7.1.9.20261120.4211"


async def test_a_number_of_an_examination_of_somebody_else_is_never_followed(links: Any, oru: Any) -> None:
    other = await links.identify(local_id="555")
    await links.draft(other, findings="", conclusion="", exam=_exam(accession_number="ACN778"))
    await links.identify()
    row = await links.take(oru(), "waiting")
    assert (row["reason"], row["report_id"]) == ("order_of_another_patient", None)


@pytest.mark.parametrize(
    ("exam", "content", "reason"),
    [
        (
            {"order_placer_number": "AUTRE"},
            {"findings": "", "conclusion": ""},
            "order_disagrees",
        ),
        ({"order_placer_number": "PL778"}, {}, "exam_already_reported"),
    ],
)
async def test_a_draft_that_does_not_fit_is_left_alone(
    links: Any, oru: Any, exam: dict[str, str], content: dict[str, str], reason: str
) -> None:
    patient = await links.identify()
    draft = await links.draft(patient, exam=_exam(accession_number="ACN778", **exam), **content)
    before = await links.report(draft)
    assert (await links.take(oru(), "waiting"))["reason"] == reason
    assert await links.report(draft) == before


async def test_what_is_not_known_of_the_examination_waits_and_a_person_may_name_the_draft(
    links: Any, reference: Any
) -> None:
    """No Study Instance UID in the message: the secretary writes the draft of the examination and names it."""
    patient = await links.identify()
    row = await links.take(reference("oru_r01_legacy_text"), "waiting")
    assert row["reason"] == "study_uid_missing"
    draft = await links.draft(patient, findings="", conclusion="", exam=_exam(accession_number="AUTRE-NUMERO"))
    path = f"/intake/messages/{row['_id']}/replay"
    done = await links.ask("POST", path, json={"report_id": draft})
    assert (done["state"], done["report_id"], done["decided_by"]) == ("integrated", draft, "user-1")
    assert (await links.report(draft))["content"]["conclusion"] == "examen normal."


async def test_a_named_draft_must_be_an_empty_one_of_the_same_patient(links: Any, reference: Any) -> None:
    patient, other = await links.identify(), await links.identify(local_id="9")
    row = await links.take(reference("oru_r01_legacy_text"), "waiting")
    path = f"/intake/messages/{row['_id']}/replay"
    written = await links.draft(patient, exam=_exam(accession_number="A1"))
    elsewhere = await links.draft(other, findings="", conclusion="", exam=_exam(accession_number="A2"))
    for report_id, reason in ((written, "not_this_draft"), (elsewhere, "order_of_another_patient")):
        done = await links.ask("POST", path, json={"report_id": report_id})
        assert (done["state"], done["reason"]) == ("waiting", reason)


@pytest.mark.parametrize(
    ("change", "reason", "who"),
    [
        ({"OBR_4": "INCONNU^x^LOCAL", "OBR_24": ""}, "exam_not_mapped", "administrator"),
        ({"OBR_7": ""}, "exam_date_missing", "secretary"),
        ({"OBR_32": "99&MEDECIN&INCONNU"}, "author_unknown", "administrator"),
        ({"OBR_32": ""}, "author_missing", "administrator"),
        ({"PID_3": "100200^^^AUTRE&1&M^PI"}, "no_usable_identifier", "secretary"),
        ({"OBX_2": "RP"}, "body_by_reference", "secretary"),
        ({"OBR_3": "ACN 778 é", "ORC_3": ""}, "content_not_acceptable", "secretary"),
    ],
)
async def test_what_cannot_be_matched_waits_with_the_reason_and_who_must_act(
    links: Any, oru: Any, change: dict[str, str], reason: str, who: str
) -> None:
    await links.identify()
    await links.take(oru(**change), "waiting")
    (shown,) = (await links.ask("GET", "/intake/messages"))["messages"]
    assert (shown["reason"], shown["who_must_act"], shown["can_replay"]) == (reason, who, True)
    assert shown["reason_label"].endswith(".")
    assert await links.reports() == []


async def test_an_examination_is_known_by_its_modality_when_its_code_is_not(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_4="INCONNU^x^LOCAL"))
    assert (await links.report(row["report_id"]))["title"] == "Scanner thoracique"


async def test_a_requester_without_national_number_is_for_somebody_to_complete(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_16="77^REFERENT^CAMILLE"), "to_review")
    assert row["remarks"] == ["requester_without_rpps"]
    assert (await links.report(row["report_id"]))["content"]["correspondents"] == []


@pytest.mark.parametrize("name", ["R" * 201, "REFE\x01RENT"])
async def test_a_requester_whose_name_cannot_be_printed_is_for_somebody_to_complete(
    links: Any, oru: Any, name: str
) -> None:
    await links.identify()
    row = await links.take(oru(OBR_16=f"899700000001^{name}^CAMILLE"), "to_review")
    assert row["remarks"] == ["requester_name_refused"]
    (asked,) = (await links.ask("GET", "/intake/messages"))["messages"]
    assert asked["who_must_act"] == "secretary"


async def test_what_was_left_to_complete_is_done_once_the_report_is_signed(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru(OBR_16="77^REFERENT^CAMILLE"), "to_review")
    (asked,) = (await links.ask("GET", "/intake/messages"))["messages"]
    assert (asked["state"], asked["who_must_act"]) == ("to_review", "secretary")
    assert (await links.sign(row["report_id"])).status_code == 200
    assert (await links.ask("GET", "/intake/messages"))["messages"] == []
    (settled,) = (await links.ask("GET", "/intake/messages", params={"state": "integrated"}))["messages"]
    assert (settled["state_label"], settled["who_must_act"]) == ("Intégré au compte rendu", "nobody")


async def test_a_cda_with_its_pdf_becomes_a_draft(links: Any, reference: Any) -> None:
    await links.identify(
        birth_name="PAT-TROIS",
        first_birth_given_name="DOMINIQUE",
        birth_given_names="DOMINIQUE",
        birth_date="1979-03-28",
        birth_place_code="63220",
        local_id=None,
        ins=Ins(matricule="279035121518989", oid="1.2.250.1.213.1.4.10"),
    )
    row = await links.take(reference("mdm_t02_init_full"), "to_review")
    report = await links.report(row["report_id"])
    assert report["accession_number"] == "7252295367250056"
    assert report["origin"]["form"] == "pdf"
    chosen = {one["name"] for one in report["versions"][0]["choices"] if one["value"]}
    assert chosen == {
        "secret_connection",
        "hidden_from_patient",
        "hidden_from_representatives",
        "withheld_from_patient",
    }
    replaced = await links.send(reference("mdm_t10_replace_full", MSH_10="016"))
    assert replaced.code == "AA"
    assert (await links.become("016", "to_review"))["report_id"] == row["report_id"]


def _exam(**changes: str) -> dict[str, str]:
    return {
        "accession_number": "ACN-2026-004211",
        "order_placer_number": "OPN-2026-0917",
        "study_instance_uid": "1.2.250.1.999.7.1.9.20261120.4211",
        "started_at": "2026-11-20T09:25:00Z",
    } | changes
