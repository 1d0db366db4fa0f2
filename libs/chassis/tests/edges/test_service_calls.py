"""Calls between services: a short token by signed assertion, asked for once, renewed when refused."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import ManualClock, ServiceSettings
from navette_chassis.auth.client import ServiceTokenError, service_client


class Other:
    """psc-auth and the service called, behind one transport."""

    def __init__(self, key: ECKey) -> None:
        self.key = key
        self.assertions: list[dict[str, Any]] = []
        self.forms: list[dict[str, list[str]]] = []
        self.seen: list[str] = []
        self.refused: set[str] = set()
        self.answer: tuple[int, Any] | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/internal/tokens":
            self.forms.append(parse_qs((await request.aread()).decode()))
            assertion = jwt.decode(self.forms[-1]["client_assertion"][0], self.key, algorithms=["ES256"])
            assert assertion.header["kid"] == self.key.kid
            self.assertions.append(assertion.claims)
            status, body = self.answer or (200, {"access_token": f"t{len(self.forms)}", "expires_in": 120})
            return httpx.Response(status, json=body)
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        return httpx.Response(401 if token in self.refused else 200)


class Caller:
    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.clock = ManualClock(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))


@pytest.fixture
def key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "report-1"})


@pytest.fixture
def other(key: ECKey) -> Other:
    return Other(key)


@pytest.fixture
def caller(key: ECKey, tmp_path: Path) -> Caller:
    (tmp_path / "service.jwk").write_text(json.dumps(key.as_dict(private=True)))
    return Caller(
        ServiceSettings(
            environment="development",
            kafka_bootstrap="none:1",
            mongo_uri="mongodb://127.0.0.1:1",
            psc_auth_url="http://psc-auth",
            service_key=tmp_path / "service.jwk",
            service_urls={"report": "http://report/"},
        )
    )


async def test_a_token_is_asked_for_once_and_used_until_shortly_before_its_end(caller, other):
    async with service_client(caller, "report", transport=httpx.MockTransport(other)) as client:
        await asyncio.gather(*(client.get("/x") for _ in range(5)))
        assert other.seen == ["t1"] * 5
        caller.clock.advance(timedelta(seconds=101))
        await client.get("/x")
    assert other.seen[-1] == "t2"
    [first, second] = other.assertions
    assert (first["iss"], first["sub"], first["aud"]) == ("service", "service", "http://psc-auth/internal/tokens")
    assert first["exp"] - first["iat"] <= 60
    assert first["jti"] != second["jti"]
    assert other.forms[0]["audience"] == ["report"]
    assert other.forms[0]["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]


async def test_a_refused_token_is_replaced_once(caller, other):
    other.refused = {"t1"}
    async with service_client(caller, "report", transport=httpx.MockTransport(other)) as client:
        assert (await client.get("/x")).status_code == 200
        assert other.seen == ["t1", "t2"]
        other.refused = {f"t{number}" for number in range(9)}
        assert (await client.get("/x")).status_code == 401
    assert other.seen == ["t1", "t2", "t2", "t3"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [((403, {}), "psc_auth_http_403"), ((200, {"token": "x"}), "psc_auth_answer_malformed"), ((200, []), None)],
)
async def test_no_token_no_call(caller, other, answer, code):
    other.answer = answer
    async with service_client(caller, "report", transport=httpx.MockTransport(other)) as client:
        with pytest.raises(ServiceTokenError) as refused:
            await client.get("/x")
    assert refused.value.code == (code or "psc_auth_answer_malformed")
    assert other.seen == []


async def test_an_unnamed_service_or_a_missing_key_is_told_at_once(caller):
    with pytest.raises(LookupError, match="does not name dmp"):
        service_client(caller, "dmp")
    caller.settings.service_key = None
    with pytest.raises(LookupError, match="service_key"):
        service_client(caller, "report")
