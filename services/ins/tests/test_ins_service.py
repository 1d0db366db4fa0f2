"""The service as a secretary uses it, against the INSi double over mutual TLS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from navette_chassis.testing import until
from navette_contracts.events import Ins, PatientIdentified
from navette_contracts.events import Traits as SharedTraits
from navette_ins.adapters.certificates import CertificateUnfit, sender_of
from navette_ins.app import create_service
from navette_ins.settings import InsSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.pki import Pki


async def told(broker: EmbeddedBroker, patient_id: str, revision: int) -> tuple[PatientIdentified, bytes]:
    """The event of a revision, and the bytes that carried it."""
    async with AIOKafkaConsumer(
        "patient.identified", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    ) as consumer:

        async def look() -> tuple[PatientIdentified, bytes] | None:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    event = PatientIdentified.parse(record.value)
                    if (event.patient_id, event.revision) == (patient_id, revision):
                        return event, record.value
            return None

        return await until(look)


@pytest.mark.dsr("RIS.INS.25", "RIS.INS.26", "RIS.INS.40", "RIS.INS.41")
async def test_a_check_and_a_found_person_make_a_qualified_identity(desk: Any, kafka_broker: EmbeddedBroker) -> None:
    patient = await desk.create()
    assert patient["status"] == "provisoire"
    assert (await desk.act(patient["patient_id"], "identity-checks", document_kind="CN"))["status"] == "validee"
    search = await desk.search(patient["patient_id"])
    assert (search["state"], search["code"], search["decided_by"]) == ("accepted", "00", "insi-auto")

    qualified = await desk.read(patient["patient_id"])
    assert qualified["status"] == "qualifiee"
    assert qualified["ins"] == {"matricule": "268043818590119", "oid": "1.2.250.1.213.1.4.8", "nature": "NIR"}
    history = (await desk.read(patient["patient_id"], "/history"))["changes"]
    assert [change["status_after"] for change in history] == ["provisoire", "validee", "qualifiee"]
    assert [change["by"] for change in history] == ["user-1", "user-1", "insi-auto"]

    event, body = await told(kafka_broker, patient["patient_id"], 3)
    assert event.ins is not None
    assert event.ins.open(desk.keyring, Ins).matricule == "268043818590119"
    assert event.traits.open(desk.keyring, SharedTraits).birth_name == "DUVAL-FICTIF"
    assert b"26804" not in body
    assert b"DUVAL" not in body


@pytest.mark.dsr("RIS.INS.37")
async def test_a_recovered_identity_keeps_its_matricule_at_home(desk: Any, kafka_broker: EmbeddedBroker) -> None:
    patient = await desk.create()
    await desk.search(patient["patient_id"])
    recovered = await desk.read(patient["patient_id"])
    assert (recovered["status"], recovered["ins"]) == ("recuperee", None)
    event, _ = await told(kafka_broker, patient["patient_id"], 2)
    assert event.ins is None


async def test_a_person_nobody_knows_stays_provisional_and_is_not_asked_again_today(desk: Any) -> None:
    patient = await desk.create(birth_name="INTROUVABLE-FICTIF")
    search = await desk.search(patient["patient_id"])
    assert (search["state"], search["code"], search["who_must_act"]) == ("not_found", "01", "secretary")
    assert len(desk.insi.views()["calls"](())) == 3
    again = await desk.act(patient["patient_id"], "insi-search", expect=409)
    assert "24 heures" in again["detail"]


async def test_homonyms_are_told_apart_by_the_second_given_name(desk: Any) -> None:
    patient = await desk.create(
        birth_name="HOMONYME-FICTIF",
        first_birth_given_name="LEA",
        birth_given_names="LEA MARIE",
        birth_date="1985-02-14",
        birth_place_code="54395",
    )
    search = await desk.search(patient["patient_id"])
    assert search["state"] == "accepted"
    assert [call["code"] for call in desk.insi.views()["calls"](())] == ["02", "00"]


async def test_a_former_matricule_is_kept_but_never_shown_as_current(desk: Any) -> None:
    patient = await desk.create(
        birth_name="CHANGEANT-FICTIF",
        first_birth_given_name="ALEX",
        birth_given_names="ALEX DOMINIQUE",
        birth_date="1990-10-20",
        birth_place_code="06088",
    )
    await desk.act(patient["patient_id"], "identity-checks", document_kind="PA")
    await desk.search(patient["patient_id"])
    assert (await desk.read(patient["patient_id"]))["ins"]["matricule"].startswith("29010")


async def test_the_same_matricule_is_not_stored_on_a_second_record(desk: Any) -> None:
    first, second = await desk.create(), await desk.create()
    assert (await desk.search(first["patient_id"]))["state"] == "accepted"
    search = await desk.search(second["patient_id"])
    assert search["state"] == "duplicate"
    assert "doublon" in search["state_label"]
    assert (await desk.read(second["patient_id"]))["status"] == "provisoire"


@pytest.mark.parametrize("fault", [{"kind": "soap_fault", "code": "desir_1020"}, {"kind": "http_error", "status": 502}])
async def test_a_teleservice_in_trouble_is_asked_again_and_the_person_is_found(
    desk: Any, fault: dict[str, object]
) -> None:
    desk.insi.faults.add({"target": "traits", "count": 1} | fault)
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"


@pytest.mark.parametrize("kind", ["lost_answer", "truncated"])
async def test_an_answer_lost_or_cut_changes_nothing_and_is_asked_for_again(desk: Any, kind: str) -> None:
    desk.insi.faults.add({"target": "traits", "kind": kind, "count": 1})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    assert len(desk.insi.views()["calls"](())) == 2


@pytest.mark.parametrize(
    ("code", "who"), [("desir_560", "administrator"), ("insi_24", "secretary"), ("desir_4242", "operator")]
)
async def test_a_fault_that_time_does_not_heal_names_who_must_act(desk: Any, code: str, who: str) -> None:
    desk.insi.faults.add({"target": "traits", "kind": "soap_fault", "code": code, "count": 1})
    patient = await desk.create()
    search = await desk.search(patient["patient_id"])
    assert (search["state"], search["who_must_act"]) == ("failed", who)


@pytest.mark.parametrize("style", ["plain_prefixes", "history_dates_first"])
async def test_the_oddities_of_the_teleservice_are_understood(desk: Any, style: str) -> None:
    desk.insi.faults.add({"target": "traits", "kind": style, "count": 1})
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"


async def test_a_name_insi_does_not_take_is_refused_before_any_call(desk: Any) -> None:
    patient = await desk.create(birth_name="Петров", birth_given_names="CAMILLE")
    refused = await desk.act(patient["patient_id"], "insi-search", expect=422)
    assert refused["errors"][0]["field"] == "birth_name"
    assert "Петров" not in json.dumps(refused, ensure_ascii=False)
    assert desk.insi.views()["calls"](()) == []


@pytest.mark.dsr("RIS.INS.28")
async def test_a_doubtful_identity_is_not_asked_for(desk: Any) -> None:
    patient = await desk.create()
    await desk.act(patient["patient_id"], "attributes", attribute="douteuse")
    refused = await desk.act(patient["patient_id"], "insi-search", expect=409)
    assert "douteuse" in refused["detail"]


async def test_a_doubt_on_a_qualified_identity_is_told_to_everybody(desk: Any, kafka_broker: EmbeddedBroker) -> None:
    patient = await desk.create()
    await desk.act(patient["patient_id"], "identity-checks", document_kind="CN")
    await desk.search(patient["patient_id"])
    doubtful = await desk.act(patient["patient_id"], "attributes", attribute="douteuse")
    assert (doubtful["status"], doubtful["ins"]) == ("provisoire", None)
    event, _ = await told(kafka_broker, patient["patient_id"], 4)
    assert (event.status.value, event.ins) == ("provisoire", None)


@pytest.mark.dsr("RIS.INS.11", "RIS.INS.12")
async def test_bad_traits_are_refused_naming_field_and_rule(desk: Any) -> None:
    body = {"site_id": "lilas", "birth_name": "X2", "first_birth_given_name": "ZOE", "sex": "F"}
    body |= {"birth_date": "1968-02-30", "birth_place_code": "1"}
    answer = await desk.http.post("/patients", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"birth_name", "birth_date", "birth_place_code"}
    missing = await desk.http.post("/patients", json={"site_id": "lilas"})
    assert missing.status_code == 422
    assert await desk.service.database["identities"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"site_id": "lilas", "unknown": 1}', "application/json", 422),
        (b"<a/>", "application/xml", 415),
        (b'"' + b"x" * 2_000_000 + b'"', "application/json", 413),
    ],
)
async def test_what_is_not_a_patient_is_refused_and_nothing_is_written(
    desk: Any, content: bytes, kind: str, status: int
) -> None:
    answer = await desk.http.post("/patients", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert await desk.service.database["identities"].count_documents({}) == 0


@pytest.mark.dsr("RIS.INS.05", "RIS.INS.06")
async def test_identities_are_for_the_people_of_the_site(desk: Any, token: Callable[..., str]) -> None:
    patient = await desk.create()
    for headers, status in [
        ({"Authorization": ""}, 401),
        ({"Authorization": f"Bearer {token('operator')}"}, 403),
        ({"Authorization": f"Bearer {token('secretary', sites=('rives',))}"}, 404),
    ]:
        assert (await desk.http.get(f"/patients/{patient['patient_id']}", headers=headers)).status_code == status
        search = await desk.http.post(f"/patients/{patient['patient_id']}/insi-search", headers=headers)
        assert search.status_code == status


@pytest.mark.dsr("RIS.INS.03", "RIS.INS.04")
async def test_who_read_an_ins_and_who_called_insi_is_on_record(desk: Any, kafka_broker: EmbeddedBroker) -> None:
    patient = await desk.create()
    await desk.search(patient["patient_id"])
    await desk.read(patient["patient_id"])
    wanted = {"identity.create", "insi.search", "insi.call", "ins.read"}
    seen: set[str] = set()
    async with AIOKafkaConsumer(
        "access.recorded", bootstrap_servers=kafka_broker.bootstrap, auto_offset_reset="earliest"
    ) as consumer:

        async def look() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for one in records:
                    line = json.loads(one.value)
                    if line["object_id"] == patient["patient_id"] and line["actor"] == "user-1":
                        seen.add(line["action"])
            return wanted <= seen

        await until(look)


async def test_the_database_holds_no_readable_identity(desk: Any) -> None:
    patient = await desk.create()
    await desk.search(patient["patient_id"])
    kept = ""
    for name in await desk.service.database.list_collection_names():
        async for row in desk.service.database[name].find():
            kept += repr(row)
    assert "26804" not in kept
    assert "DUVAL" not in kept


@pytest.mark.dsr("RIS.INS.49")
def test_a_certificate_that_insi_would_refuse_stops_the_start(pki: Pki, settings: InsSettings) -> None:
    with pytest.raises(CertificateUnfit, match="INSI-MANU"):
        create_service(settings.model_copy(update={"insi_client_cert": pki.cert("dmp-auth")}))
    assert sender_of(pki.cert("insi-client-manu")).startswith("1")


def test_a_short_index_key_stops_the_start(tmp_path: Path, settings: InsSettings) -> None:
    (tmp_path / "short").write_text("secret")
    with pytest.raises(ValueError, match="32 bytes"):
        create_service(settings.model_copy(update={"index_key": tmp_path / "short"}))
