"""Bad input is refused with a clear French answer that repeats nothing of it, and nothing runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Form, Request
from navette_chassis.auth import public
from navette_chassis.http import ApiModel, FieldProblem, ProblemError
from pydantic import Field, field_validator
from pymongo.errors import ServerSelectionTimeoutError
from structlog.testing import capture_logs


class Traits(ApiModel):
    birth_name: str = Field(max_length=20)
    birth_date: date
    sex: Literal["M", "F", "I"]

    @field_validator("birth_name")
    @classmethod
    def upper(cls, value: str) -> str:
        if value == "quoted":
            message = f"le nom {value} est refusé"
            raise ValueError(message)
        if value != value.upper():
            message = "le nom doit être en majuscules"
            raise ValueError(message)
        return value


class Patient(ApiModel):
    traits: Traits
    size: int = Field(default=1, ge=0)


def routes(taken: list[Any]) -> APIRouter:
    router = APIRouter(dependencies=[public()])

    @router.post("/patients")
    async def create(body: Patient) -> str:
        taken.append(body)
        return "ok"

    @router.post("/form")
    async def form(name: Annotated[str, Form()]) -> str:
        taken.append(name)
        return "ok"

    @router.post("/raw")
    async def raw(request: Request) -> int:
        taken.append(await request.body())
        return len(taken[-1])

    @router.post("/documents/{name}")
    async def document(name: str, request: Request) -> int:
        return len(await request.body())

    @router.get("/boom")
    async def boom() -> str:
        message = "DUPONT Marie"
        raise RuntimeError(message)

    @router.get("/no-database")
    async def no_database() -> str:
        raise ServerSelectionTimeoutError("db1:27017")

    @router.get("/conflict")
    async def conflict() -> str:
        raise ProblemError.conflict("already-signed", "Ce compte rendu est déjà signé.")

    @router.get("/field")
    async def field() -> str:
        raise ProblemError.invalid(FieldProblem("rpps", "11 chiffres"))

    return router


GOOD = {"traits": {"birth_name": "TEST", "birth_date": "1980-01-31", "sex": "F"}}
SECRET = "Jacqueline-Secret"


@pytest.fixture
def taken() -> list[Any]:
    return []


@pytest.fixture
async def client(client_of, taken):
    async with client_of(routes(taken), caller="") as one:
        yield one


async def test_a_good_request_passes(client, taken):
    assert (await client.post("/patients", json=GOOD)).status_code == 200
    assert (await client.post("/form", data={"name": "x"})).status_code == 200
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"nickname": SECRET}, "nickname", "champ inconnu"),
        ({SECRET + " a space": 1}, "?", "champ inconnu"),
        ({"traits": None}, "traits", "objet JSON attendu"),
        ({"traits": {**GOOD["traits"], "mother": SECRET}}, "traits.mother", "champ inconnu"),
        ({"traits": {**GOOD["traits"], "birth_name": SECRET * 3}}, "traits.birth_name", "au plus 20 caractère(s)"),
        ({"traits": {**GOOD["traits"], "birth_name": SECRET}}, "traits.birth_name", "le nom doit être en majuscules"),
        ({"traits": {**GOOD["traits"], "birth_name": "quoted"}}, "traits.birth_name", "valeur invalide"),
        ({"traits": {**GOOD["traits"], "birth_date": SECRET}}, "traits.birth_date", "date attendue (AAAA-MM-JJ)"),
        ({"traits": {**GOOD["traits"], "sex": SECRET}}, "traits.sex", "valeurs admises : 'M', 'F' ou 'I'"),
        ({"traits": {"birth_name": "TEST", "sex": "F"}}, "traits.birth_date", "champ obligatoire"),
        ({"size": SECRET}, "size", "nombre entier attendu"),
        ({"size": -1}, "size", "doit être au moins 0"),
    ],
)
async def test_each_broken_rule_is_named_with_its_field_and_without_its_value(client, taken, change, field, rule):
    answer = await client.post("/patients", json={**GOOD, **change})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [{"field": field, "rule": rule}]
    assert SECRET not in answer.text
    assert "quoted" not in answer.text
    assert taken == []


async def test_malformed_json_is_refused(client, taken):
    for body in (b'{"traits": ', b"{'a': 1}", b"\xff\xfe", b"[" * 900):
        answer = await client.post("/patients", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, body
        assert answer.json()["title"] == "Requête invalide"
    assert taken == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/xml", "application/x-www-form-urlencoded", "", "multipart/form-data"]
)
async def test_a_json_route_refuses_other_content_types(client, taken, kind):
    answer = await client.post("/patients", content=json.dumps(GOOD), headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["type"] == "urn:navette:problem:content-type-refused"
    assert taken == []


async def test_a_form_route_refuses_json(client, taken):
    assert (await client.post("/form", json={"name": "x"})).status_code == 415
    assert taken == []


async def test_an_oversized_body_is_refused_by_its_announced_length(client, taken):
    for path, kind in (("/patients", "application/json"), ("/raw", "application/octet-stream")):
        answer = await client.post(path, content=b"x" * 1001, headers={"content-type": kind})
        assert answer.status_code == 413
        assert answer.json()["status"] == 413
    assert (await client.post("/raw", content=b"x" * 1000)).json() == 1000
    assert (await client.post("/raw", content=b"x", headers={"content-length": "-1"})).status_code == 413
    assert len(taken) == 1


async def test_a_route_that_takes_documents_has_a_limit_of_its_own(client, taken):
    assert (await client.post("/documents/one", content=b"x" * 5000)).json() == 5000
    assert (await client.post("/documents/one", content=b"x" * 5001)).status_code == 413
    assert (await client.post("/raw", content=b"x" * 5000)).status_code == 413
    assert taken == []


async def test_an_oversized_chunked_body_is_refused_while_it_streams(client, taken):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield b"x" * 100
            await asyncio.sleep(0)

    for path, kind in (("/patients", "application/json"), ("/raw", "application/octet-stream")):
        sent = 0
        answer = await client.post(path, content=endless(), headers={"content-type": kind})
        assert answer.status_code == 413
        assert sent <= 12, "reading stops at the limit"
    assert taken == []


async def test_an_unexpected_exception_is_a_plain_500_without_its_text(client, capsys):
    answer = await client.get("/boom")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:navette:problem:internal-error"
    assert "DUPONT" not in answer.text


async def test_an_unreachable_database_is_a_503_to_try_again(client):
    with capture_logs() as lines:
        answer = await client.get("/no-database")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "db1" not in answer.text
    assert [line["status"] for line in lines if line["event"] == "http.failed"] == [503], "what the client was told"


async def test_problems_raised_by_a_use_case_become_the_answer(client):
    answer = await client.get("/conflict")
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:navette:problem:already-signed",
        "title": "Conflit",
        "status": 409,
        "detail": "Ce compte rendu est déjà signé.",
        "errors": [],
    }
    assert (await client.get("/field")).json()["errors"] == [{"field": "rpps", "rule": "11 chiffres"}]


async def test_unknown_addresses_and_methods_are_told_as_problems(client):
    assert (await client.get("/nowhere")).json()["detail"] == "Cette adresse n'existe pas."
    answer = await client.delete("/patients")
    assert (answer.status_code, answer.json()["title"]) == (405, "Méthode non autorisée")
    assert answer.headers["allow"] == "POST"


async def test_every_answer_carries_security_headers_and_a_correlation_id(client):
    for path in ("/boom", "/conflict", "/nowhere", "/livez"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers["x-correlation-id"]) == 36
    given = await client.get("/livez", headers={"X-Correlation-ID": "0190a0b0-1111-7000-8000-000000000001"})
    assert given.headers["x-correlation-id"] == "0190a0b0-1111-7000-8000-000000000001"
    forged = await client.get("/livez", headers={"X-Correlation-ID": "DUPONT Marie;"})
    assert len(forged.headers["x-correlation-id"]) == 36
