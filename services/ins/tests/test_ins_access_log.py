"""Each access to an INS and each call of INSi leaves a line with the user, on every route (RIS.INS.03, .04)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from navette_chassis.testing import until
from navette_ins.api.openapi import openapi_document
from navette_ins.settings import InsSettings
from navette_sandbox.simulators.insi.server import InsiSimulator

MATRICULE = "268043818590119"
TRAITS = {
    "birth_name": "DUVAL-FICTIF",
    "birth_given_names": "CAMILLE ROSE",
    "sex": "F",
    "birth_date": "1968-04-17",
    "birth_place_code": "38185",
}
Ask = Callable[[str], Awaitable[httpx.Response]]


def told_by(document: dict[str, Any]) -> set[str]:
    """Operations whose answer can hold a matricule: as a field, as the value of a change, or as an image."""
    schemas = document["components"]["schemas"]

    def holds(node: Any, seen: frozenset[str] = frozenset()) -> bool:
        if isinstance(node, list):
            return any(holds(one, seen) for one in node)
        if not isinstance(node, dict):
            return False
        if "$ref" in node:
            name = str(node["$ref"]).rsplit("/", maxsplit=1)[-1]
            return name not in seen and (name == "FieldValues" or holds(schemas[name], seen | {name}))
        fields = set(node.get("properties", {}))
        return any("matricule" in one for one in fields) or any(holds(one, seen) for one in node.values())

    found = set()
    for methods in document["paths"].values():
        for one in methods.values():
            content = {kind: said for status, said in one["responses"].items() if status < "300"
                       for kind, said in said.get("content", {}).items()}  # fmt: skip
            if any(kind.startswith("image/") or "fhir" in kind for kind in content) or holds(list(content.values())):
                found.add(one["operationId"])
    return found


@pytest.fixture
async def cell(settings: InsSettings, insi: InsiSimulator, open_desk: Any) -> AsyncIterator[Any]:
    changes: dict[str, Any] = {"insi_verification_period_days": 1, "insi_verification_round_seconds": 3600}
    changes |= {"insi_verification": "sandbox", "insi_verification_url": f"https://127.0.0.1:{insi.ports()['port']}"}
    configured = InsSettings.model_validate(settings.model_dump() | changes)
    async with open_desk(configured, insi, "secretary", "identity-supervisor", "administrator") as desk:
        yield desk


async def lines(desk: Any, *actions: str) -> list[dict[str, Any]]:
    query = {"action": {"$in": list(actions)}, "actor": "user-1", "outcome": "granted"}
    return list(await desk.service.database["audit"].find(query).to_list())


def accesses(desk: Any, patient_id: str, call_id: str) -> Iterator[tuple[str, str, str, dict[str, Any] | None, str]]:
    """Operation, method, path, body, and the action that its line names; the identity is qualified at first."""
    own = f"/patients/{patient_id}"
    scanned = "IS010000000000000000000000S1" + MATRICULE + "S21.2.250.1.213.1.4.8\x1dS3CAMILLE ROSE\x1dS4DUVAL-FICTIF"
    scanned += "\x1dS5FS617-04-1968S738185"
    yield "read_identity", "GET", own, None, "ins.read"
    yield "read_identity_as_fhir", "GET", f"{own}/fhir", None, "ins.read"
    yield "record_check", "POST", f"{own}/identity-checks", {"document_kind": "PA"}, "ins.read"
    yield "edit_identity", "PATCH", f"{own}/traits", {"used_name": "EPOUX-FICTIF"}, "ins.read"
    yield "mark_attribute", "POST", f"{own}/attributes", {"attribute": "homonyme"}, "ins.read"
    yield "show_datamatrix", "GET", f"{own}/ins-datamatrix", None, "ins.datamatrix"
    yield "read_datamatrix", "POST", "/ins-datamatrix/read", {"payload": scanned}, "ins.scan"
    yield "read_history_values", "GET", f"{own}/history/3", None, "history.values"
    yield "compare_insi_answer", "GET", f"{own}/insi-calls/{call_id}/comparison", None, "insi.compare"
    yield "list_verifications_due", "GET", "/worklists/verification-due", None, "ins.listed"
    yield "withdraw_identity_check", "POST", f"{own}/check-withdrawal", {"reason": "document d’un proche"}, "ins.read"
    yield "validate_by_hand", "POST", f"{own}/validation", None, "ins.read"
    yield "remove_wrong_ins", "POST", f"{own}/ins-removal", {"reason": "INS d’un homonyme"}, "ins.remove"


@pytest.mark.dsr("RIS.INS.03")
async def test_no_route_shows_an_ins_without_a_line_that_says_who_saw_it(cell: Any) -> None:
    patient = await cell.create()
    patient_id = patient["patient_id"]
    await cell.act(patient_id, "identity-checks", document_kind="CN")
    call_id = (await cell.search(patient_id))["call_id"]
    long_ago = {"positive_at": datetime(2020, 1, 1, tzinfo=UTC), "not_before": datetime(2020, 1, 1, tzinfo=UTC)}
    await cell.service.database["verification_due"].update_many({}, {"$set": long_ago})
    walked = {"create_identity"}  # a person just recorded has no INS
    for operation, method, path, body, action in accesses(cell, patient_id, call_id):
        before = len(await lines(cell, action))
        answer = await cell.http.request(method, path, json=body)
        assert answer.status_code in (200, 409), f"{operation}: {answer.text}"
        shows = (
            MATRICULE in answer.text or answer.headers["content-type"].startswith("image/") or "masked" in answer.text
        )
        if shows or answer.status_code == 200:
            assert len(await lines(cell, action)) == before + 1, operation
        walked.add(operation)
    assert walked == told_by(openapi_document())


@pytest.mark.dsr("RIS.INS.04", "RIS.INS.40", "RIS.INS.42")
async def test_no_call_of_insi_is_made_without_a_line_that_says_for_whom(cell: Any) -> None:
    patient_id = (await cell.create())["patient_id"]
    await cell.search(patient_id)
    assert len(await lines(cell, "insi.search", "insi.call")) == 2
    await cell.act(patient_id, "verifications", expect=202)

    async def verified() -> bool:
        return len(await lines(cell, "insi.verify", "insi.verify.call")) == 2

    await until(verified)
    came = {"site_id": "lilas", "matricule": MATRICULE, "oid": "1.2.250.1.213.1.4.8"} | TRAITS
    answer = await cell.http.post("/received-ins/verification", json=came | {"birth_date": "1968-04-18"})
    assert answer.json()["verdict"] == "ko"
    assert len(await lines(cell, "insi.verify.call")) == 2
    assert (await cell.http.post("/insi/certificate-test")).status_code == 200
    assert len(await lines(cell, "insi.self-test")) == 2, "one for each certificate"
    calls = cell.insi.views()["calls"](())
    assert {one["operation"] for one in calls} >= {"traits", "unit"}


async def test_the_lines_hold_no_trait_and_no_matricule(cell: Any) -> None:
    patient_id = (await cell.create())["patient_id"]
    await cell.search(patient_id)
    await cell.read(patient_id)
    rows = await cell.service.database["audit"].find().to_list()
    assert rows
    assert not [word for word in (MATRICULE, "DUVAL", "CAMILLE", "1968-04-17") if word in json.dumps(rows, default=str)]
