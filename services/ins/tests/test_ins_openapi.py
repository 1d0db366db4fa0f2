"""The OpenAPI document is the API: generated, complete, and good enough to make a client of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from fastapi.routing import iter_route_contexts
from navette_chassis.testing import until
from navette_ins.api.openapi import COMMITTED, openapi_document, rendered
from navette_ins.api.rights import _May
from navette_ins.domain.rights import Right
from navette_sandbox.embedded.broker import EmbeddedBroker

OWN = ("/livez", "/readyz", "/metrics", "/ops")
"""Routes of the chassis, which every service has."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]


def test_the_committed_document_is_the_one_the_code_makes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == rendered(), "run: python -m navette_ins.api.openapi"


def test_every_operation_has_a_name_of_its_own_and_refuses_as_problem_json(document: dict[str, Any]) -> None:
    names = [one["operationId"] for _, _, one in operations(document)]
    assert len(names) == len(set(names))
    assert all("_" in name for name in names)
    for _, _, one in operations(document):
        for status in ("401", "403", "404", "409", "422"):
            content = one["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(document["components"]["schemas"])


def test_every_route_of_the_running_service_is_in_the_document(desk: Any, document: dict[str, Any]) -> None:
    served = {
        (context.path, method.lower())
        for context in iter_route_contexts(desk.service.asgi.routes)
        for method in context.methods or ()
        if not str(context.path).startswith(OWN)
    }
    assert served - {(path, method) for path, method, _ in operations(document)} == set()


@pytest.mark.dsr("RIS.INS.58")
def test_no_route_takes_a_copy_of_an_identity_paper(document: dict[str, Any]) -> None:
    for path, _, one in operations(document):
        body = one.get("requestBody", {"content": {}})
        assert set(body["content"]) <= {"application/json"}, path
    for name, schema in document["components"]["schemas"].items():
        for field, said in schema.get("properties", {}).items():
            assert said.get("format") not in ("binary", "byte"), f"{name}.{field}"
            assert not {"copy", "scan", "image", "photo", "file"} & set(field.split("_")), f"{name}.{field}"


def _rights(context: Any) -> set[str]:
    def calls(dependant: Any) -> list[Any]:
        return [dependant.call, *(one for inner in dependant.dependencies for one in calls(inner))]

    return {call.right.value for call in calls(context.dependant) if isinstance(call, _May)}


KEEPERS = {"/pam/messages", "/pam/messages/{message_id}/replay", "/pam/ins-recipients/{patient_id}"}
KEEPERS |= {"/insi/certificate-test"}
"""Routes of those who look after links and certificates; they show no identity."""


@pytest.mark.dsr("RIS.INS.05", "RIS.INS.06")
async def test_each_route_refuses_whoever_lacks_its_right_and_the_refusal_is_on_record(
    desk: Any, token: Callable[..., str], kafka_broker: EmbeddedBroker
) -> None:
    headers = {"Authorization": f"Bearer {token('operator', 'administrator')}"}
    asked = 0
    for context in list(iter_route_contexts(desk.service.asgi.routes)):
        path = str(context.path)
        if path.startswith(OWN) or path in KEEPERS:
            continue
        assert len(_rights(context)) == 1, f"{path} asks for one right"
        url = path.replace("{worklist}", "doubtful").replace("{site_id}", "lilas").replace("{revision}", "1")
        for name in ("patient_id", "call_id", "case_id", "merge_id", "check_id", "batch_id", "venue_id"):
            url = url.replace(f"{{{name}}}", "0199c0de-0000-7000-8000-000000000001")
        for method in context.methods or ():
            body = {} if method == "GET" else {"json": {}}
            answer = await desk.http.request(method, url, headers=headers, **body)
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"
            assert answer.json()["detail"].startswith(("Vous n’", "Cette opération"))
            asked += 1
    assert asked > 30
    refused: set[str] = set()
    async with AIOKafkaConsumer(
        "access.recorded", bootstrap_servers=kafka_broker.bootstrap, auto_offset_reset="earliest"
    ) as consumer:

        async def look() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                lines = [json.loads(one.value) for one in records]
                refused.update(one["action"] for one in lines if one["outcome"] == "refused")
            return {right.value for right in Right} <= refused

        await until(look)


@pytest.mark.dsr("RIS.INS.05")
async def test_an_object_of_a_site_that_is_not_mine_answers_like_one_that_does_not_exist(
    desk: Any, token: Callable[..., str]
) -> None:
    """On every route that names a patient, whatever right it asks for: nobody learns which ids exist."""
    patient = (await desk.create())["patient_id"]
    call = (await desk.search(patient))["call_id"]
    stranger = {"Authorization": f"Bearer {token('secretary', 'identity-supervisor', 'radiologist', sites=('rives',))}"}
    asked = 0
    for context in list(iter_route_contexts(desk.service.asgi.routes)):
        path = str(context.path)
        if path.startswith(OWN) or path in KEEPERS or "{patient_id}" not in path:
            continue
        url = path.replace("{revision}", "1").replace("{call_id}", call)
        for method in context.methods or ():
            body = {} if method == "GET" else {"json": {}}
            elsewhere, nowhere = [
                await desk.http.request(method, url.format(patient_id=one, **NOWHERE), headers=stranger, **body)
                for one in (patient, "0199c0de-0000-7000-8000-000000000001")
            ]
            assert elsewhere.status_code == nowhere.status_code, f"{method} {path}: {elsewhere.text}"
            assert elsewhere.json() == nowhere.json(), f"{method} {path}"
            asked += elsewhere.status_code == 404
    assert asked > 10


NOWHERE = dict.fromkeys(("check_id", "venue_id"), "0199c0de-0000-7000-8000-000000000002")
