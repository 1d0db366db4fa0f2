"""The directory double answers as the public API does and refuses what that API refuses."""

import json
import ssl
from pathlib import Path

import httpx
import pytest
from navette_sandbox.simulators.annuaire import AnnuaireSimulator
from navette_sandbox.simulators.common import SimulatorConfig

RPPS = "https://rpps.esante.gouv.fr"
MSS_TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"


@pytest.fixture
async def annuaire(pki, tmp_path: Path):
    config = SimulatorConfig(pki=pki.directory, state=tmp_path / "state")
    async with AnnuaireSimulator(config) as simulator:
        yield simulator


@pytest.fixture
async def client(annuaire: AnnuaireSimulator, pki):
    context = ssl.create_default_context(cafile=str(pki.igc_ca))
    base = f"https://localhost:{annuaire.ports()['port']}/fhir/v2"
    headers = {"ESANTE-API-KEY": "cle-essai"}
    async with httpx.AsyncClient(verify=context, base_url=base, headers=headers, trust_env=False) as http:
        yield http


def resources(answer: httpx.Response, kind: str) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return [item["resource"] for item in answer.json()["entry"] if item["resource"]["resourceType"] == kind]


async def test_a_person_is_found_by_rpps_with_roles(client: httpx.AsyncClient) -> None:
    question = {"identifier": f"{RPPS}|99700002001", "_revinclude": "PractitionerRole:practitioner"}
    answer = await client.get("/Practitioner", params=question)
    (person,) = resources(answer, "Practitioner")
    (box,) = person["telecom"]
    assert box["value"] == "camille.referent-fictif@medecins-fictifs.mssante.example"
    assert {extension["url"] for extension in box["extension"]} >= {MSS_TYPE}
    (role,) = resources(answer, "PractitionerRole")
    assert role["practitioner"]["reference"] == f"Practitioner/{person['id']}"
    bare = await client.get("/Practitioner", params={"identifier": "99700002001"})
    assert [item["id"] for item in resources(bare, "Practitioner")] == [person["id"]]


async def test_an_unknown_person_is_an_empty_bundle(client: httpx.AsyncClient) -> None:
    answer = await client.get("/Practitioner", params={"identifier": "99700009999"})
    assert answer.json()["total"] == 0
    assert answer.json()["entry"] == []


async def test_two_homonyms_are_both_listed(client: httpx.AsyncClient) -> None:
    answer = await client.get(
        "/Practitioner", params={"family": "referent-fictif", "given": "Camille", "active": "true"}
    )
    assert len(resources(answer, "Practitioner")) == 2


async def test_who_left_keeps_only_identifiers(client: httpx.AsyncClient) -> None:
    (person,) = resources(await client.get("/Practitioner", params={"identifier": "99700002118"}), "Practitioner")
    assert person["active"] is False
    assert "telecom" not in person
    assert "name" not in person


async def test_a_structure_shows_its_boxes_red_list_and_ordinary_mail(client: httpx.AsyncClient) -> None:
    (place,) = resources(await client.get("/Organization", params={"identifier": "990000119"}), "Organization")
    boxes = {item["value"]: json.dumps(item) for item in place["telecom"]}
    assert "listeRouge" in boxes["direction@ch-exemple.mssante.example"]
    assert "MSSANTE" not in boxes["contact@ch-exemple.example"]
    assert '"APP"' in boxes["pfi-auto@ch-exemple.mssante.example"]


async def test_the_owner_of_an_address_is_found(client: httpx.AsyncClient) -> None:
    address = "sasha.lilas@medecins-fictifs.mssante.example"
    answer = await client.get("/PractitionerRole", params={"mailbox-mss:exact": address, "_include": "*"})
    assert [item["name"][0]["family"] for item in resources(answer, "Practitioner")] == ["DEUXLIEUX-FICTIF"]
    assert [item["name"] for item in resources(answer, "Organization")] == ["CABINET MEDICAL DES LILAS (FICTIF)"]


async def test_elements_keep_only_what_is_asked_and_say_so(client: httpx.AsyncClient) -> None:
    question = {"identifier": "99700002001", "_elements": "identifier,active"}
    (person,) = resources(await client.get("/Practitioner", params=question), "Practitioner")
    assert set(person) == {"resourceType", "id", "meta", "identifier", "active"}
    assert person["meta"]["tag"][0]["code"] == "SUBSETTED"


async def test_pages_follow_opaque_links_that_serve_once(client: httpx.AsyncClient) -> None:
    answer = await client.get("/Practitioner", params={"active": "true", "_count": "7"})
    seen = [item["id"] for item in resources(answer, "Practitioner")]
    while following := [link["url"] for link in answer.json()["link"] if link["relation"] == "next"]:
        answer = await client.get(following[0])
        seen += [item["id"] for item in resources(answer, "Practitioner")]
        assert (await client.get(following[0])).status_code == 410
    assert len(seen) == len(set(seen)) == 17


async def test_post_search_reads_the_form(client: httpx.AsyncClient) -> None:
    answer = await client.post("/Practitioner/_search", data={"identifier": "99700002001"})
    assert len(resources(answer, "Practitioner")) == 1


@pytest.mark.parametrize(
    "question",
    [
        {"mailbox-mss-type": "PER"},
        {"practitioner:Practitioner.identifier": "99700002001"},
        {"_type": "Practitioner"},
        {"active": "oui"},
        {"identifier": "1", "_revinclude": "Autre:x"},
        {"_count": "10"},
    ],
)
async def test_what_the_server_does_not_know_is_refused(client: httpx.AsyncClient, question: dict) -> None:
    answer = await client.get("/Practitioner", params=question)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_no_key_no_answer(annuaire: AnnuaireSimulator, client: httpx.AsyncClient) -> None:
    answer = await client.get("/Practitioner", params={"identifier": "1"}, headers={"ESANTE-API-KEY": ""})
    assert answer.status_code == 401
    assert annuaire.refusals.rules == ["key"]


async def test_writing_is_forbidden(client: httpx.AsyncClient) -> None:
    assert (await client.post("/Practitioner", json={})).status_code == 405
    assert (await client.delete("/Organization/001-F1")).status_code == 405


async def test_the_path_without_version_leads_to_v2(client: httpx.AsyncClient) -> None:
    url = str(client.base_url).replace("/v2/", "") + "/Practitioner?identifier=99700002001"
    answer = await client.get(url)
    assert answer.status_code == 301
    assert answer.headers["location"] == "/fhir/v2/Practitioner?identifier=99700002001"


async def test_metadata_lists_the_search_parameters(client: httpx.AsyncClient) -> None:
    statement = (await client.get("/metadata")).json()
    (person,) = [item for item in statement["rest"][0]["resource"] if item["type"] == "Practitioner"]
    names = {item["name"] for item in person["searchParam"]}
    assert "mailbox-mss" in names
    assert "mailbox-mss-type" not in names


@pytest.mark.parametrize("status", [429, 500])
async def test_scripted_errors_are_operation_outcomes(
    annuaire: AnnuaireSimulator, client: httpx.AsyncClient, status: int
) -> None:
    annuaire.faults.add({"kind": "http_error", "status": status, "count": 1})
    answer = await client.get("/Practitioner", params={"identifier": "99700002001"})
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert (await client.get("/Practitioner", params={"identifier": "99700002001"})).status_code == 200


async def test_a_cut_body_is_not_json(annuaire: AnnuaireSimulator, client: httpx.AsyncClient) -> None:
    annuaire.faults.add({"kind": "cut_body", "count": 1})
    answer = await client.get("/Practitioner", params={"identifier": "99700002001"})
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_every_invented_number_has_a_valid_key() -> None:
    data = Path(__file__).parents[2] / "src/navette_sandbox/simulators/data/directory.json"
    for person in json.loads(data.read_text())["practitioners"]:
        digits = [int(char) for char in person["rpps"]]
        doubled = [digit * 2 - 9 * (digit > 4) if index % 2 else digit for index, digit in enumerate(digits[::-1])]
        assert person["rpps"].startswith("99700")
        assert sum(doubled) % 10 == 0
