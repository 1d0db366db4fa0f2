"""Cases of the guide that no other file tells, and where each of its acceptance tests is (spec/ins.md §12)."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from navette_documents.hl7v2 import parse, read_ins, read_pid
from navette_ins.api.openapi import openapi_document
from navette_ins.domain.facts import Recovery, TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.destinations import ConnectedSystem
from navette_ins.domain.pam.outgoing import Change, notices, written
from navette_ins.domain.transitions import Act, Told

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NIA = "1.2.250.1.213.1.4.9"
ROOT = Path(__file__).parents[3]


def test_a_nia_is_named_as_one_in_hl7(identity: Any, traits: Any) -> None:
    found = Recovery(matricule="268043818590119", oid=NIA, search_id="s", at=NOW, accepted_by="u")
    check = TrustCheck(document_kind="CN", at=NOW, by="u")
    one: Identity = identity(traits=traits(local_id="100200"), recovery=found, check=check)
    (notice,) = notices(Change(Act.INS_ACCEPTED, Told.A31, identity(traits=traits(local_id="100200")), one, None), None)
    system = ConnectedSystem.model_validate(
        {"name": "dpi", "host": "h", "port": 1, "application": "DPI", "facility": "CH", "sending_facility": "S"}
    )
    data, _charset = written(
        notice, system, number="N1", at=NOW, production=False, authority=lambda _site: "CH&990000019&N"
    )
    message = parse(data)
    claim = read_ins(read_pid(message).identifiers)
    assert claim is not None
    assert (claim.matricule, claim.oid) == ("268043818590119", NIA)
    assert b"^^^ASIP-SANTE-INS-NIA&1.2.250.1.213.1.4.9&ISO^INS" in data


async def test_without_a_sex_insi_is_not_called(desk: Any) -> None:
    patient = await desk.create(sex="I")
    refused = await desk.act(patient["patient_id"], "insi-search", 409)
    assert "sexe F ou M" in refused["detail"]
    body = {"site_id": "lilas", "birth_name": "A", "first_birth_given_name": "B", "birth_date": "1968-04-17"}
    answer = await desk.http.post("/patients", json=body | {"birth_place_code": "38185"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sex")
    assert desk.insi.views()["calls"](()) == []


@pytest.mark.dsr("RIS.INS.02")
def test_an_identity_is_shown_whole_and_a_list_shows_at_least_the_four_traits() -> None:
    """All fields are shown by default: no site has a choice to make, and none may hide one."""
    schemas = openapi_document()["components"]["schemas"]
    stored = {"birth_name", "first_birth_given_name", "birth_given_names", "birth_date", "sex", "birth_place_code"}
    stored |= {"used_name", "used_given_name"}
    always = {"birth_name", "first_birth_given_name", "birth_date", "sex"}
    assert stored <= set(schemas["Traits"]["properties"])
    assert {"traits", "ins", "status", "attributes"} <= set(schemas["PatientAnswer"]["properties"])
    assert stored | {"status", "attributes"} <= set(schemas["FoundPatient"]["properties"])
    for name in ("WorkItem", "FoundPatient"):
        assert always <= set(schemas[name]["required"])


@pytest.mark.parametrize(("days", "newborn"), [(3, True), (90, False)])
async def test_a_newborn_nobody_knows_yet_needs_no_correction(desk: Any, days: int, newborn: bool) -> None:
    born = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    patient = await desk.create(birth_name="NAISSANT-FICTIF", birth_date=born)
    assert (await desk.search(patient["patient_id"]))["state"] == "not_found"
    warned = {one["code"] for one in (await desk.read(patient["patient_id"]))["warnings"]}
    assert ("newborn" in warned) is newborn
    items = (await desk.http.get("/sites/lilas/worklists/not_found")).json()["items"]
    assert [one["step"] for one in items] == ["search_later" if newborn else "check_birth_name"]


def test_every_acceptance_test_of_the_guide_is_a_test_here() -> None:
    text = Path(__file__).with_name("ACCEPTANCE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*$", text, re.MULTILINE)
    assert [int(one) for one in rows] == list(range(1, 25))
    for path, name in re.findall(r"`([^\s`]+\.py)::(\w+)`", text):
        module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in names, f"{path} has no {name}"
