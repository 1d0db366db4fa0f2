"""An identity as a Patient of FR Core 2.1 and 2.2 (spec/ins.md §8.1, acceptance tests 5 and 24)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from navette_contracts.events import IdentityAttribute
from navette_ins.domain.facts import FormerIns, Recovery, TrustCheck
from navette_ins.domain.fhir import patient_resource
from navette_ins.domain.identity import Identity

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
MATRICULE = "268043818590119"


def facts(status: str, oid: str = "1.2.250.1.213.1.4.8") -> dict[str, Any]:
    found = Recovery(matricule=MATRICULE, oid=oid, search_id="s", at=NOW, accepted_by="u")
    check = TrustCheck(document_kind="CN", at=NOW, by="u")
    return {
        "provisoire": {},
        "recuperee": {"recovery": found},
        "validee": {"check": check},
        "qualifiee": {"recovery": found, "check": check},
    }[status]


def resource(identity: Identity, version: Any = "2.1", **more: Any) -> dict[str, Any]:
    return patient_resource(identity, version, **{"ipp_system": "urn:oid:1.2.3", "sees_ins": True} | more)


def reliability(found: dict[str, Any], part: str) -> list[str]:
    parts = [
        one for extension in found["extension"] if extension["url"] == RELIABILITY for one in extension["extension"]
    ]
    coded = [one["valueCoding"] for one in parts if one["url"] == part]
    return [f"{one['system'].rsplit('/', maxsplit=1)[-1]}|{one['code']}" for one in coded]


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize(
    ("status", "old", "new"),
    [
        ("provisoire", "PROV", "PROV"),
        ("recuperee", "PROV", "RECUP"),
        ("validee", "PROV", "VALI"),
        ("qualifiee", "VALI", "QUAL"),
    ],
)
def test_each_status_is_said_as_each_version_says_it(identity: Any, status: str, old: str, new: str) -> None:
    one = identity(**facts(status))
    before, after = resource(one, "2.1"), resource(one, "2.2")
    assert reliability(before, "identityStatus") == [f"fr-core-cs-v2-0445|{old}"]
    assert reliability(after, "identityStatus") == [f"fr-core-cs-identity-status|{new}"]
    for found, release in ((before, "2.1.0"), (after, "2.2.0")):
        profile = "fr-core-patient-ins" if status == "qualifiee" else "fr-core-patient"
        assert found["meta"]["profile"][0].endswith(f"/{profile}|{release}")
        assert (MATRICULE in str(found)) == (status == "qualifiee")


def test_a_qualified_identity_is_the_one_of_the_guide(identity: Any, traits: Any) -> None:
    person = traits(used_name="MODELE", local_id="100200")
    found = resource(identity(traits=person, **facts("qualifiee", "1.2.250.1.213.1.4.10")))
    assert found["identifier"] == [
        {
            "use": "official",
            "type": {
                "coding": [
                    {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR-TEST"}
                ]
            },
            "system": "urn:oid:1.2.250.1.213.1.4.10",
            "value": MATRICULE,
        },
        {"use": "usual", "system": "urn:oid:1.2.3", "value": "100200"},
    ]
    official, usual = found["name"]
    assert (official["family"], official["given"]) == ("DUVAL-FICTIF", ["CAMILLE"])
    assert official["extension"][0]["valueString"] == "CAMILLE ROSE"
    assert (usual["use"], usual["family"], usual["given"]) == ("usual", "MODELE", ["CAMILLE"])
    assert (found["gender"], found["birthDate"]) == ("female", "1968-04-17")
    place = found["extension"][-1]["valueAddress"]["extension"][0]["valueCoding"]
    assert (place["system"].rsplit("/", maxsplit=1)[-1], place["code"]) == ("TRE-R13-CommuneOM", "38185")
    assert reliability(found, "methodCollection") == ["fr-core-cs-method-collection|INSI"]
    assert reliability(found, "validationMode") == ["fr-core-cs-mode-validation-identity|CN"]


def test_a_nia_is_temporary_and_a_former_number_old(identity: Any) -> None:
    former = FormerIns(matricule="190100608831750", oid="1.2.250.1.213.1.4.8")
    found = resource(identity(**facts("qualifiee", "1.2.250.1.213.1.4.9"), former_ins=(former,)))
    said = [(one["type"]["coding"][0]["code"], one["use"]) for one in found["identifier"]]
    assert said == [("INS-NIA", "temp"), ("INS-NIR", "old")]


@pytest.mark.parametrize("attribute", list(IdentityAttribute))
def test_attributes_stand_beside_the_status(identity: Any, attribute: IdentityAttribute) -> None:
    if attribute is IdentityAttribute.OTHER:
        return
    one = identity(attributes=frozenset({attribute}))
    code = {"homonyme": "HOMA", "douteuse": "DOUT", "fictive": "FICT"}[attribute.value]
    assert reliability(resource(one, "2.1"), "identityStatus")[1:] == [f"fr-core-cs-v2-0445|{code}"]
    assert f"'code': '{code}'" in str(resource(one, "2.2"))
    assert reliability(resource(one, "2.2"), "identityStatus") == ["fr-core-cs-identity-status|PROV"]


def test_a_birth_abroad_and_a_merged_record(identity: Any, traits: Any) -> None:
    found = resource(identity(traits=traits(birth_place_code="99350"), merged_into="p-2"))
    place = found["extension"][-1]["valueAddress"]["extension"][0]["valueCoding"]
    assert place["system"].endswith("TRE-R20-Pays")
    assert (found["active"], found["link"][0]["type"]) == (False, "replaced-by")
    assert "identifier" not in found


@pytest.mark.dsr("RIS.INS.03", "RIS.INS.05")
async def test_who_may_not_see_the_ins_gets_the_resource_without_it(
    settings: Any, open_desk: Any, insi: Any, token: Any
) -> None:
    async with open_desk(settings, insi) as desk:
        patient_id = (await desk.create())["patient_id"]
        await desk.act(patient_id, "identity-checks", document_kind="CN")
        await desk.search(patient_id)
        answer = await desk.http.get(f"/patients/{patient_id}/fhir?version=2.2")
        assert answer.headers["content-type"] == "application/fhir+json"
        assert answer.json()["identifier"][0]["value"] == MATRICULE
        assert (await desk.http.get(f"/patients/{patient_id}/fhir?version=3")).status_code == 422
        headers = {"Authorization": f"Bearer {token('operator')}"}
        assert (await desk.http.get(f"/patients/{patient_id}/fhir", headers=headers)).status_code == 403


@pytest.mark.dsr("RIS.INS.05")
def test_the_resource_of_who_may_not_see_the_ins_names_no_matricule(identity: Any) -> None:
    assert MATRICULE not in str(resource(identity(**facts("qualifiee")), sees_ins=False))
