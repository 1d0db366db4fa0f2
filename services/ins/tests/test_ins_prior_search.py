"""The prior search and the datamatrix as a reception uses them: over HTTP, on the embedded database."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import zxingcpp
from aiokafka import AIOKafkaConsumer
from navette_chassis.testing import until
from navette_ins.adapters.identities import IDENTITIES, BlindIndex
from navette_ins.adapters.prior_searches import PRIOR_SEARCHES
from navette_ins.adapters.search_tokens import candidates_query
from navette_ins.domain.prior_search import prior_search
from navette_ins.use_cases.search_patients import SHOWN
from navette_sandbox.embedded.broker import EmbeddedBroker
from PIL import Image

CAMILLE = {"birth_date": "1968-04-17"}


async def ask(desk: Any, *, expect: int = 200, **criteria: str) -> dict[str, Any]:
    answer = await desk.http.post("/patients/search", json=criteria)
    assert answer.status_code == expect, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.dsr("RIS.INS.07", "RIS.INS.09", "RIS.INS.10")
async def test_a_birth_date_and_first_letters_find_the_records_of_a_person(desk: Any) -> None:
    camille = await desk.create(used_name="L’Épée-Essai", used_given_name="Mila", local_id="IPP-7")
    other = await desk.create(birth_name="AUTRE-FICTIF", first_birth_given_name="ROSE", birth_given_names="ROSE")
    both = await ask(desk, **CAMILLE)
    assert [one["patient_id"] for one in both["patients"]] == [other["patient_id"], camille["patient_id"]]
    assert "ne pas créer de doublon" in both["next_step"]
    for letters in (
        {"name": "duv"},
        {"name": "lepee"},
        {"name": "duvalfictif"},
        {"given_name": "mil"},
        {"given_name": "camille"},
    ):
        found = await ask(desk, **CAMILLE, **letters)
        assert [one["patient_id"] for one in found["patients"]] == [camille["patient_id"]], letters
    by_second_given_name = await ask(desk, **CAMILLE, given_name="rose")
    assert by_second_given_name["count"] == 2
    nobody = await ask(desk, **CAMILLE, name="zzz")
    assert (nobody["count"], nobody["more"]) == (0, False)
    assert "créer" in nobody["next_step"]
    assert (await ask(desk, local_id="IPP-7"))["patients"][0]["local_id"] == "IPP-7"


@pytest.mark.dsr("RIS.INS.08", "RIS.INS.37")
async def test_a_matricule_finds_its_record_and_is_not_shown(desk: Any) -> None:
    patient = await desk.create()
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    found = await ask(desk, matricule="2 68 04 38 185 901 19")
    assert [one["patient_id"] for one in found["patients"]] == [patient["patient_id"]]
    assert "2680438185901" not in json.dumps(found)
    for typed, rule in (("2680438185901", "15 caractères"), ("268043818590118", "clé")):
        refused = await ask(desk, expect=422, matricule=typed)
        assert refused["errors"][0]["field"] == "matricule"
        assert rule in refused["errors"][0]["rule"]
        assert typed not in json.dumps(refused)


async def test_a_former_matricule_leads_to_the_person_of_today(desk: Any) -> None:
    patient = await desk.create(
        birth_name="CHANGEANT-FICTIF",
        first_birth_given_name="ALEX",
        birth_given_names="ALEX DOMINIQUE",
        birth_date="1990-10-20",
        birth_place_code="06088",
    )
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    assert (await ask(desk, matricule="190100608831750"))["count"] == 1


async def test_a_change_of_traits_moves_the_record_in_the_index(desk: Any) -> None:
    # INSi answers with the traits of the national base: they replace the local ones in the same transaction.
    patient = await desk.create(birth_given_names="CAMILLE")
    assert (await ask(desk, **CAMILLE, given_name="ros"))["count"] == 0
    await desk.search(patient["patient_id"])
    assert (await ask(desk, **CAMILLE, given_name="ros"))["count"] == 1


async def test_records_of_other_sites_are_not_found(desk: Any, token: Callable[..., str]) -> None:
    await desk.create()
    elsewhere = {"Authorization": f"Bearer {token('secretary', sites=('rives',))}"}
    answer = await desk.http.post("/patients/search", json=CAMILLE, headers=elsewhere)
    assert (answer.status_code, answer.json()["count"]) == (200, 0)
    operator = {"Authorization": f"Bearer {token('operator')}"}
    assert (await desk.http.post("/patients/search", json=CAMILLE, headers=operator)).status_code == 403


async def test_a_merged_record_is_answered_by_the_one_that_took_it_over(desk: Any, token: Callable[..., str]) -> None:
    kept = await desk.create(local_id="IPP-1")
    absorbed = await desk.create(birth_name="DUVALLE-FICTIF", local_id="IPP-2")
    both = {"surviving_id": kept["patient_id"], "absorbed_id": absorbed["patient_id"]}
    supervisor = {"Authorization": f"Bearer {token('identity-supervisor')}"}
    assert (await desk.http.post("/merges", json=both, headers=supervisor)).status_code == 201
    for criteria in ({"local_id": "IPP-2"}, {"local_id": "IPP-1"}, CAMILLE | {"name": "duvalle"}, CAMILLE):
        found = await ask(desk, **criteria)
        assert [one["patient_id"] for one in found["patients"]] == [kept["patient_id"]], criteria


async def test_too_many_answers_are_said_to_be_too_many(desk: Any) -> None:
    for number in range(SHOWN + 1):
        await desk.create(birth_name=f"NOMBREUX-{chr(65 + number % 26)}{chr(65 + number // 26)}")
    found = await ask(desk, **CAMILLE)
    assert (found["count"], found["more"]) == (SHOWN, True)
    assert "premières lettres" in found["next_step"]
    names = [one["birth_name"] for one in found["patients"]]
    assert names == sorted(names)


@pytest.mark.parametrize("criteria", [{}, {"name": "DUV"}, {"birth_date": "1968"}, {"sex": "F"}])
async def test_a_search_without_a_sound_criterion_is_refused(desk: Any, criteria: dict[str, str]) -> None:
    await ask(desk, expect=422, **criteria)
    assert await desk.service.database[PRIOR_SEARCHES].count_documents({}) == 0


@pytest.mark.dsr("RIS.INS.03")
async def test_a_search_is_on_record_with_its_count_and_without_its_criteria(
    desk: Any, kafka_broker: EmbeddedBroker
) -> None:
    await desk.create()
    found = await ask(desk, **CAMILLE, name="DUV")
    line = await desk.service.database[PRIOR_SEARCHES].find_one({"_id": found["search_id"]})
    assert (line["by"], line["criterion"], line["count"]) == ("user-1", "birth_date", 1)
    assert set(line) == {"_id", "by", "at", "criterion", "count"}
    async with AIOKafkaConsumer(
        "access.recorded", bootstrap_servers=kafka_broker.bootstrap, auto_offset_reset="earliest"
    ) as consumer:

        async def look() -> bool:
            records = [one for batch in (await consumer.getmany(timeout_ms=200)).values() for one in batch]
            lines = [json.loads(one.value) for one in records]
            return any((one["action"], one["object_id"]) == ("identity.search", found["search_id"]) for one in lines)

        await until(look)


async def test_every_search_is_an_equality_on_the_index(desk: Any) -> None:
    tokens = BlindIndex(desk.service.settings.blind_index_key()).tokens
    for number in range(60):
        await desk.create(birth_date=f"1968-04-{number % 20 + 1:02d}", local_id=f"IPP-{number}")
    searches = (
        prior_search(**CAMILLE),
        prior_search(**CAMILLE, name="D"),
        prior_search(**CAMILLE, given_name="cam"),
        prior_search(matricule="268043818590119"),
        prior_search(local_id="IPP-16"),
    )
    for search, most in zip(searches, (3, 3, 3, 0, 1), strict=True):
        query = candidates_query(tokens.asked(search), {"lilas", "rives"})
        command = {"find": IDENTITIES, "filter": query}
        plan = await desk.service.database.command("explain", command, verbosity="executionStats")
        stage = plan["queryPlanner"]["winningPlan"]
        assert (stage["stage"], stage["inputStage"]["stage"]) == ("FETCH", "IXSCAN")
        assert list(stage["inputStage"]["keyPattern"]) == ["search", "site_id"]
        assert plan["executionStats"]["nReturned"] == most
        assert plan["executionStats"]["totalDocsExamined"] == most


async def qualified(desk: Any) -> str:
    patient = await desk.create()
    await desk.act(patient["patient_id"], "identity-checks", document_kind="CN")
    await desk.search(patient["patient_id"])
    return str(patient["patient_id"])


@pytest.mark.dsr("RIS.INS.54")
async def test_the_code_of_a_qualified_identity_is_read_back_and_finds_it(desk: Any) -> None:
    patient_id = await qualified(desk)
    drawing = await desk.http.get(f"/patients/{patient_id}/ins-datamatrix")
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert drawing.headers["cache-control"] == "no-store"
    bitmap = await desk.http.get(f"/patients/{patient_id}/ins-datamatrix", params={"format": "png"})
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(bitmap.content)).convert("L"))
    read = await desk.http.post("/ins-datamatrix/read", json={"payload": bytes(code.bytes).decode("ascii")})
    assert read.status_code == 200
    said = read.json()
    assert (said["matricule"], said["nature"]) == ("268043818590119", "NIR")
    assert (said["birth_name"], said["birth_given_names"]) == ("DUVAL-FICTIF", "CAMILLE ROSE")
    assert (said["birth_date"], said["sex"], said["birth_place_code"]) == ("1968-04-17", "F", "38185")
    assert said["verification_required"] is True
    assert "vérifier par INSi" in said["next_step"]
    assert [one["patient_id"] for one in said["known"]["patients"]] == [patient_id]


@pytest.mark.dsr("RIS.INS.37")
async def test_an_identity_that_is_not_qualified_has_no_code(desk: Any) -> None:
    patient = await desk.create()
    await desk.search(patient["patient_id"])
    refused = await desk.http.get(f"/patients/{patient['patient_id']}/ins-datamatrix")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert "qualifiée" in refused.json()["detail"]


async def test_the_code_is_for_the_people_of_the_site(desk: Any, token: Callable[..., str]) -> None:
    patient_id = await qualified(desk)
    for held, status in ((token("operator"), 403), (token("secretary", sites=("rives",)), 404)):
        answer = await desk.http.get(
            f"/patients/{patient_id}/ins-datamatrix", headers={"Authorization": f"Bearer {held}"}
        )
        assert answer.status_code == status
    scan = {"payload": "IS01"}
    operator = {"Authorization": f"Bearer {token('operator')}"}
    assert (await desk.http.post("/ins-datamatrix/read", json=scan, headers=operator)).status_code == 403


async def test_a_code_that_is_not_understood_is_refused_without_being_quoted(desk: Any) -> None:
    payload = "IS010000000000000000000000S1268043818590118S21.2.250.1.213.1.4.8\x1dS3CAMILLE\x1dS4DUVAL\x1dS5F"
    answer = await desk.http.post("/ins-datamatrix/read", json={"payload": payload + "S617-04-1968"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "S1"
    assert "26804" not in answer.text
    assert await desk.service.database[PRIOR_SEARCHES].count_documents({}) == 0
