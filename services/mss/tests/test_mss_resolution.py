"""From a recipient to a mailbox (spec/annuaire.md §5 and §8, T1 to T5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from navette_mss.domain.directory import Directory, MailboxType, read_bundles
from navette_mss.domain.resolution import Decision, resolve_professional, resolve_structure

RPPS = "99700001052"
TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
METADATA = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"


def mailbox(address: str, kind: str = "PER", *, red_list: bool = False, rank: int | None = None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "type", "valueCodeableConcept": {"coding": [{"code": kind}]}}]
    if red_list:
        parts.append({"url": "listeRouge", "valueBoolean": True})
    extensions = [
        {"url": TYPE, "valueCoding": {"code": "MSSANTE"}},
        {"url": METADATA, "extension": parts},
    ]
    return {"system": "email", "value": address, "extension": extensions} | ({"rank": rank} if rank else {})


def person(*boxes: dict[str, Any], active: bool = True, rpps: str = RPPS, id_: str = "003-1") -> dict[str, Any]:
    identifier = [{"system": "https://rpps.esante.gouv.fr", "value": rpps}]
    return {
        "resourceType": "Practitioner",
        "id": id_,
        "active": active,
        "identifier": identifier,
        "telecom": list(boxes),
    }


def role(structure: str, *boxes: dict[str, Any], active: bool = True) -> dict[str, Any]:
    return {
        "resourceType": "PractitionerRole",
        "id": f"005-{structure}",
        "active": active,
        "practitioner": {"reference": "Practitioner/003-1"},
        "organization": {"reference": f"Organization/{structure}"},
        "telecom": list(boxes),
    }


def structure(id_: str, finess: str, *boxes: dict[str, Any], active: bool = True) -> dict[str, Any]:
    identifier = [{"system": "https://finess.esante.gouv.fr", "value": finess}]
    return {
        "resourceType": "Organization",
        "id": id_,
        "active": active,
        "identifier": identifier,
        "telecom": list(boxes),
    }


def directory(*resources: dict[str, Any]) -> Directory:
    return read_bundles([{"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}])


def test_the_one_personal_mailbox_of_a_person_is_used() -> None:
    found = resolve_professional(directory(person(mailbox("a@m.mssante.fr"))), RPPS, None)
    assert (found.decision, found.address) == (Decision.AUTO, "a@m.mssante.fr")


def test_the_structure_of_the_order_changes_the_winner() -> None:
    known = directory(
        person(),
        role("001-A", mailbox("a@ch-a.mssante.fr")),
        role("001-B", mailbox("b@ch-b.mssante.fr")),
        structure("001-A", "990000010"),
        structure("001-B", "990000028"),
    )
    assert resolve_professional(known, RPPS, "990000010").address == "a@ch-a.mssante.fr"
    assert resolve_professional(known, RPPS, "990000028").address == "b@ch-b.mssante.fr"
    without = resolve_professional(known, RPPS, None)
    assert (without.decision, len(without.candidates)) == (Decision.ASK, 2)


def test_two_good_mailboxes_ask_a_human_the_first_choice_of_the_owner_first() -> None:
    boxes = (mailbox("b@m.mssante.fr", rank=2), mailbox("a@m.mssante.fr", rank=1))
    found = resolve_professional(directory(person(*boxes)), RPPS, None)
    assert found.decision is Decision.ASK
    assert found.address is None
    assert [one.address for one in found.candidates] == ["a@m.mssante.fr", "b@m.mssante.fr"]


def test_the_same_address_found_twice_is_one_candidate() -> None:
    known = directory(
        person(mailbox("A@m.mssante.fr")), role("001-A", mailbox("a@m.mssante.fr")), structure("001-A", "990000010")
    )
    assert resolve_professional(known, RPPS, "990000010").decision is Decision.AUTO


def test_shared_and_applicative_mailboxes_of_the_structure_are_never_automatic() -> None:
    known = directory(
        person(),
        role("001-A"),
        structure("001-A", "990000010", mailbox("s@ch.mssante.fr", "ORG"), mailbox("p@ch.mssante.fr", "APP")),
    )
    found = resolve_professional(known, RPPS, "990000010")
    assert found.decision is Decision.ASK
    assert [one.reason for one in found.candidates] == ["org-of-structure", "app-of-structure"]


@pytest.mark.parametrize(
    "resource",
    [
        person(),
        person(mailbox("a@m.mssante.fr"), active=False),
        person(mailbox("a@m.mssante.fr", red_list=True)),
        person({"system": "email", "value": "a@exemple.test"}),
        person(mailbox("a@m.mssante.fr"), rpps="99700001003"),
        person({"system": "phone", "value": "0199000000"}),
    ],
)
def test_what_cannot_be_used_leaves_nothing(resource: dict[str, Any]) -> None:
    assert resolve_professional(directory(resource), RPPS, None).decision is Decision.NONE


def test_the_mailbox_of_an_ended_role_is_not_used() -> None:
    known = directory(person(), role("001-A", mailbox("a@m.mssante.fr"), active=False), structure("001-A", "990000010"))
    assert resolve_professional(known, RPPS, "990000010").decision is Decision.NONE


def test_a_structure_is_reached_by_its_one_organisational_mailbox() -> None:
    boxes = (mailbox("s@ch.mssante.fr", "ORG"), mailbox("p@ch.mssante.fr", "APP"))
    one = directory(structure("001-A", "990000010", *boxes))
    assert resolve_structure(one, "990000010").address == "s@ch.mssante.fr"
    assert resolve_structure(one, "990000028").decision is Decision.NONE
    two = directory(structure("001-A", "990000010", *boxes, mailbox("t@ch.mssante.fr", "ORG")))
    assert resolve_structure(two, "990000010").decision is Decision.ASK


@pytest.mark.parametrize(
    "bundle",
    [
        {},
        {"entry": "x"},
        {"entry": [None, {"resource": 3}, {"resource": {"resourceType": "Practitioner", "telecom": [{"value": 1}]}}]},
        {"entry": [{"resource": {"resourceType": "Practitioner", "identifier": [{"system": 1}], "telecom": {}}}]},
    ],
)
def test_a_strange_answer_is_read_as_nothing(bundle: dict[str, Any]) -> None:
    assert resolve_professional(read_bundles([bundle]), RPPS, None).decision is Decision.NONE


@pytest.mark.conformance
@pytest.mark.dsr("RIS.ANN.05")
def test_bundles_that_follow_the_official_profiles_are_read(conformance: Path) -> None:
    def load(name: str) -> Directory:
        return read_bundles([json.loads((conformance / f"mss/annuaire-fhir/{name}.json").read_text())])

    with_all = load("role_by_rpps_with_all")
    assert with_all.practitioners
    assert with_all.roles
    assert with_all.organizations
    for name in ("practitioner_none", "practitioner_without_mss", "practitioner_inactive"):
        known = load(name)
        for one in known.practitioners:
            assert resolve_professional(known, one.rpps, None).decision is Decision.NONE
    shared = load("organization_with_bal").organizations[0].mailboxes
    assert MailboxType.APP in {box.type for box in shared}
    assert MailboxType.ORG in {box.type for box in shared}
    assert all("mssante" in box.address for box in shared)
