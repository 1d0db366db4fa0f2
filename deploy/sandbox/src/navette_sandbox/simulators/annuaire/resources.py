"""The directory data file as FHIR resources (spec/annuaire.md §2.2, §2.3)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

RPPS_SYSTEM = "https://rpps.esante.gouv.fr"
FINESS_SYSTEM = "https://finess.esante.gouv.fr"
IDNPS_SYSTEM = "urn:oid:1.2.250.1.71.4.2.1"
IDNST_SYSTEM = "urn:oid:1.2.250.1.71.4.2.2"
_V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
_NOS = "https://mos.esante.gouv.fr/NOS"
_FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition"
_ANNUAIRE = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition"
PROFESSION_SYSTEM = f"{_NOS}/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
SPECIALTY_SYSTEM = f"{_NOS}/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"
LAST_UPDATED = "2026-10-01T04:00:00.000+02:00"


def _identifier(system: str, value: str, kind: str) -> Json:
    coding = {"system": _V2_0203, "code": kind}
    return {"use": "official", "type": {"coding": [coding]}, "system": system, "value": value}


def _telecom(box: Json) -> Json:
    telecom: Json = {"system": "email", "value": box["address"]}
    if not box.get("mssante", True):
        return telecom
    coding = {"system": f"{_NOS}/TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL", "code": box["type"]}
    details: list[Json] = [{"url": "type", "valueCodeableConcept": {"coding": [coding]}}]
    if box.get("description"):
        details.append({"url": "description", "valueString": box["description"]})
    if box.get("liste_rouge"):
        details.append({"url": "listeRouge", "valueBoolean": True})
    messaging = f"{_NOS}/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie"
    telecom["extension"] = [
        {
            "url": f"{_FR_CORE}/fr-core-contact-point-email-type",
            "valueCoding": {"system": messaging, "code": "MSSANTE"},
        },
        {"url": f"{_ANNUAIRE}/as-ext-mailbox-mss-metadata", "extension": details},
    ]
    if box.get("rank"):
        telecom["rank"] = box["rank"]
    return telecom


def _base(kind: str, identifier: str, active: bool) -> Json:
    meta = {"versionId": "1", "lastUpdated": LAST_UPDATED, "source": "https://annuaire.sante.fr"}
    return {"resourceType": kind, "id": identifier, "meta": meta, "language": "fr", "active": active}


def practitioner(number: int, person: Json) -> Json:
    """A Practitioner; one who has left keeps only identifiers (§2.5)."""
    rpps = person["rpps"]
    resource = _base("Practitioner", f"003-F{number}", person["active"])
    resource["identifier"] = [
        _identifier(IDNPS_SYSTEM, f"8{rpps}", "IDNPS"),
        _identifier(RPPS_SYSTEM, rpps, "RPPS"),
    ]
    if not person["active"]:
        return resource
    name = {"use": "usual", "family": person["family"], "given": [person["given"]], "prefix": [person["prefix"]]}
    resource["name"] = [name | {"suffix": ["DR"]}]
    resource["telecom"] = [_telecom(box) for box in person["mailboxes"]]
    codings = [(PROFESSION_SYSTEM, person["profession"]), (SPECIALTY_SYSTEM, person["specialty"])]
    resource["qualification"] = [{"code": {"coding": [{"system": s, "code": c}]}} for s, c in codings]
    return resource


def role(number: int, place: int, link: Json, organization_id: str) -> Json:
    """A PractitionerRole."""
    resource = _base("PractitionerRole", f"005-F{number}-{place}", link["active"])
    resource["identifier"] = [{"system": RPPS_SYSTEM, "value": f"99{number:04d}{place:04d}"}]
    resource["practitioner"] = {"reference": f"Practitioner/003-F{number}"}
    resource["organization"] = {"reference": f"Organization/{organization_id}"}
    resource["telecom"] = [_telecom(box) for box in link["mailboxes"]]
    return resource


def organization(number: int, place: Json) -> Json:
    """An Organization."""
    resource = _base("Organization", f"001-F{number}", place["active"])
    kind = "FINEJ" if place["kind"] == "LEGAL-ENTITY" else "FINEG"
    resource["identifier"] = [
        _identifier(IDNST_SYSTEM, f"1{place['finess']}", "IDNST"),
        _identifier(FINESS_SYSTEM, place["finess"], kind),
    ]
    if not place["active"]:
        return resource
    sector = f"{_NOS}/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"
    resource["type"] = [
        {"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307", "code": place["kind"]}]},
        {"coding": [{"system": sector, "code": place["sector"]}]},
    ]
    resource["name"] = place["name"]
    resource["telecom"] = [_telecom(box) for box in place["mailboxes"]]
    resource["address"] = [{"city": place["city"], "postalCode": place["postal_code"], "country": "FR"}]
    return resource


def resources_of(directory: Json) -> dict[str, Json]:
    """Every resource of the data file by ``Type/id``, in order."""
    found: list[Json] = []
    organizations: dict[str, str] = {}
    for number, place in enumerate(directory["organizations"], 1):
        resource = organization(number, place)
        organizations[place["key"]] = resource["id"]
        found.append(resource)
    for number, person in enumerate(directory["practitioners"], 1):
        found.append(practitioner(number, person))
        for position, link in enumerate(person.get("roles", []), 1):
            found.append(role(number, position, link, organizations[link["organization"]]))
    return {f"{item['resourceType']}/{item['id']}": item for item in found}
