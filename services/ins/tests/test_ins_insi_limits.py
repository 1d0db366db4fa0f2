"""What INSi may be asked, and what happens when it does not answer (spec/ins.md §4.2, §4.4, §2.7; §13)."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_ins.adapters.searches import exchange_of
from navette_ins.settings import InsSettings
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.insi.server import InsiSimulator

CONFORMANCE = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "insi"
official = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="official INSi data not found: NAVETTE_CONFORMANCE_DIR")
OFFICIAL_REPLIES = {
    "CR00_adrun_zoe_live.xml": "to_decide",
    "CR02_plusieurs.xml": "several",
    "REP_CR01.xml": "not_found",
    "TEST_2.04_cas2.xml": "to_decide",
    "TEST_2.05.xml": "to_decide",
    "TEST_2.08_cas1.xml": "to_decide",
    "TEST_2.08_cas2.xml": "to_decide",
}
OFFICIAL_FAULTS = {
    "siram_100_desir_550.xml": "administrator",
    "siram_40_desir_1020.xml": None,
    "siram_40_insi_102.xml": None,
}


def calls(desk: Any) -> list[dict[str, Any]]:
    return list(desk.insi.views()["calls"](()))


def play(desk: Any, **command: Any) -> None:
    desk.insi.commands()["scenario"](command)


@official
@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.41")
@pytest.mark.parametrize("name", OFFICIAL_REPLIES)
async def test_every_official_reply_is_kept_as_received_and_put_where_it_belongs(desk: Any, name: str) -> None:
    text = (CONFORMANCE / "responses" / name).read_text(encoding="utf-8")
    state = OFFICIAL_REPLIES[name]
    for _ in range(1 if state == "to_decide" else 6):
        desk.insi.commands()["reply"]({"body": text})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == state
    row = await desk.service.database["insi_exchanges"].find_one({})
    assert exchange_of(row, desk.keyring).reply == text.encode()
    assert (row["operation"], row["requested_by"]) == ("rechercherInsAvecTraitsIdentite", "user-1")


@official
@pytest.mark.conformance
@pytest.mark.parametrize("name", OFFICIAL_FAULTS)
async def test_every_official_fault_is_for_time_or_for_a_person_to_mend(desk: Any, name: str) -> None:
    text = (CONFORMANCE / "faults" / name).read_text(encoding="utf-8")
    desk.insi.commands()["reply"]({"body": text, "status": 500})
    patient = await desk.create()
    search = await desk.search(patient["patient_id"])
    if OFFICIAL_FAULTS[name] is None:
        assert search["state"] == "accepted"
    else:
        assert (search["state"], search["who_must_act"]) == ("failed", OFFICIAL_FAULTS[name])


@pytest.mark.dsr("RIS.INS.15", "RIS.INS.16")
@pytest.mark.parametrize(
    "name", ["no_birth_name", "no_given_names", "no_sex", "day_00", "month_00", "no_key", "unknown_oid"]
)
async def test_an_answer_that_lacks_something_is_not_taken_over(desk: Any, name: str) -> None:
    play(desk, name=name)
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "unusable"
    assert (await desk.read(patient["patient_id"]))["status"] == "provisoire"


@pytest.mark.parametrize("name", ["wrong_keys_2.08_2", "other_birth_name", "other_sex", "other_given_names"])
async def test_an_answer_that_says_otherwise_is_for_a_person(desk: Any, name: str) -> None:
    play(desk, name=name)
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "to_decide"


@pytest.mark.parametrize("name", ["history_dates_first_2.04", "history_repeats_active_2.08_1", "nia_2.05"])
async def test_the_oddities_of_the_acceptance_tests_are_understood(desk: Any, name: str) -> None:
    play(desk, name=name)
    patient = await desk.create()
    await desk.act(patient["patient_id"], "identity-checks", document_kind="CN")
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    if name == "nia_2.05":
        assert (await desk.read(patient["patient_id"]))["ins"]["nature"] == "NIA"


@pytest.mark.parametrize("name", ["unavailable", "traits_search_fails"])
async def test_a_technical_fault_is_asked_about_once_more_with_another_message_id(desk: Any, name: str) -> None:
    play(desk, name=name)
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    made = calls(desk)
    assert len(made) == 2
    assert len({call["message_id"] for call in made}) == 2
    (delivery,) = await desk.service.database["deliveries_done"].find({"channel": "insi"}).to_list()
    assert len(delivery["attempts"]) == 1


@pytest.mark.parametrize("name", ["software_unknown", "no_rights", "sex_refused", "unknown_fault"])
async def test_a_fault_that_time_does_not_heal_is_never_asked_about_again(desk: Any, name: str) -> None:
    play(desk, name=name)
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "failed"
    assert len(calls(desk)) == 1


async def test_six_calls_a_coming_and_then_the_document_is_looked_at(desk: Any) -> None:
    names = {"first_birth_given_name": "ALIX", "birth_given_names": "ALIX ROSE MARIE"}
    patient = await desk.create(birth_name="INTROUVABLE-FICTIF", **names)
    assert (await desk.search(patient["patient_id"]))["state"] == "not_found"
    assert len(calls(desk)) == 4
    edited = await desk.http.patch(f"/patients/{patient['patient_id']}/traits", json={"birth_name": "AUTRE-FICTIF"})
    assert edited.status_code == 200, edited.text
    assert (await desk.search(patient["patient_id"]))["state"] == "not_found"
    assert len(calls(desk)) == 6
    edited = await desk.http.patch(f"/patients/{patient['patient_id']}/traits", json={"birth_name": "TIERS-FICTIF"})
    refused = await desk.act(patient["patient_id"], "insi-search", expect=409)
    assert "six fois" in refused["detail"]
    again = await desk.http.post(f"/patients/{patient['patient_id']}/insi-search?venue_id=v-2")
    assert again.status_code == 202


async def test_the_memory_of_a_day_is_of_the_traits_whoever_has_them(desk: Any) -> None:
    first = await desk.create(birth_name="INTROUVABLE-FICTIF")
    assert (await desk.search(first["patient_id"]))["state"] == "not_found"
    second = await desk.create(birth_name="Introuvable-Fictif")
    assert "24 heures" in (await desk.act(second["patient_id"], "insi-search", expect=409))["detail"]
    third = await desk.create(birth_name="INTROUVABLE-FICTIF", birth_date="1968-04-18")
    assert (await desk.act(third["patient_id"], "insi-search", expect=202))["state"] == "requested"


async def test_an_admission_is_saved_while_insi_is_down_and_calls_stop(desk: Any) -> None:
    desk.insi.faults.add({"kind": "down"})
    patients = []
    for number in range(6):
        patient = await desk.create(birth_date=f"1968-04-{number + 10}")
        await desk.act(patient["patient_id"], "insi-search", expect=202)
        patients.append(patient["patient_id"])

    async def noticed() -> bool:
        return await desk.service.database["notices"].find_one({"kind": "outage_started"}) is not None

    await until(noticed)
    breaker = await desk.service.database["delivery_endpoints"].find_one({"_id": "insi"})
    assert (breaker["open"], breaker["failures"] >= 5) == (True, True)
    for patient_id in patients:
        assert (await desk.read(patient_id))["status"] == "provisoire"
    desk.insi.faults.clear()

    async def ended() -> bool:
        return await desk.service.database["notices"].find_one({"kind": "outage_ended"}) is not None

    await until(ended)


async def test_a_slow_insi_does_not_slow_an_admission(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    insi.faults.add({"kind": "slow", "delay": 600.0})
    async with open_desk(settings.model_copy(update={"graceful_stop_seconds": 0.5}), insi) as desk:
        patient = await desk.create()
        asked = await desk.act(patient["patient_id"], "insi-search", expect=202)
        await desk.read(patient["patient_id"])
        await until(lambda: insi.faults.as_json()[0]["hits"])
        state = await desk.read(patient["patient_id"], f"/insi-calls/{asked['call_id']}")
        assert (state["state"], calls(desk)) == ("requested", []), "it was saved while INSi had not answered yet"


async def test_a_quota_that_is_spent_is_told_to_the_operator(desk: Any) -> None:
    desk.insi.commands()["quota"]({"calls": 1, "seconds": 3600})
    first, second = await desk.create(), await desk.create(birth_date="1968-04-18")
    assert (await desk.search(first["patient_id"]))["state"] == "accepted"
    search = await desk.search(second["patient_id"])
    assert (search["state"], search["who_must_act"]) == ("failed", "operator")


async def test_the_self_test_says_what_insi_thinks_of_each_certificate(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    async with open_desk(settings, insi, "administrator") as desk:
        said = (await desk.http.post("/insi/certificate-test")).json()["certificates"]
        assert [(one["common_name"], one["works"], one["code"]) for one in said] == [
            ("INSI-MANU", True, "01"),
            ("INSI-AUTO", True, "01"),
        ]
        assert all("ORGANISATIONS" in one["issuer"] and one["days_left"] >= 0 for one in said)
        play(desk, names=["no_rights", "software_unknown"])
        said = (await desk.http.post("/insi/certificate-test")).json()["certificates"]
        assert [one["code"] for one in said] == ["desir_560", "desir_550"]
        assert "CNDA" in said[1]["verdict"]
        desk.insi.faults.add({"kind": "down"})
        said = (await desk.http.post("/insi/certificate-test")).json()["certificates"]
        assert not any(one["works"] for one in said)


async def test_the_self_test_is_for_administrators(desk: Any, pki: Pki) -> None:
    assert (await desk.http.post("/insi/certificate-test")).status_code == 403
    assert calls(desk) == []


async def test_calls_are_traced_even_when_nobody_answered(desk: Any) -> None:
    desk.insi.faults.add({"kind": "lost_answer", "count": 1})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    rows = await desk.service.database["insi_exchanges"].find().to_list()
    assert sorted(row["code"] for row in rows) == ["00", "RemoteProtocolError"]


async def test_a_reply_in_another_encoding_is_kept_byte_for_byte_and_still_understood(desk: Any) -> None:
    body = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><RESULTAT xmlns="http://www.cnamts.fr/INSiResultat"><CR>'
        "<CodeCR>01</CodeCR><LibelleCR>Aucune identité trouvée</LibelleCR></CR></RESULTAT>"
    ).encode("iso-8859-1")
    for _ in range(3):
        desk.insi.commands()["reply"]({"base64": base64.b64encode(body).decode()})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "not_found"
    row = await desk.service.database["insi_exchanges"].find_one({})
    assert exchange_of(row, desk.keyring).reply == body


async def test_a_page_of_half_a_megabyte_instead_of_a_reply_is_kept_whole(desk: Any) -> None:
    page = b"<html>" + b"x" * 500_000 + b"</html>"
    desk.insi.commands()["reply"]({"body": page.decode(), "status": 502})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    row = await desk.service.database["insi_exchanges"].find_one({"code": "http_502"})
    assert exchange_of(row, desk.keyring).reply == page
