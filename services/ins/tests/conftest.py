"""The service on an embedded broker and database, asked over HTTP with internal tokens, talking to the INSi double."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Clock, Mode, Service, SystemClock
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.testing import running, until
from navette_contracts.catalogue import TOPICS
from navette_contracts.sealed import Keyring
from navette_ins.app import create_service
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits
from navette_ins.settings import InsSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.keys import create_keys
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.insi.server import InsiSimulator

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "test", "alg": "ES256"})


MakeTraits = Callable[..., Traits]
MakeIdentity = Callable[..., Identity]


def _traits(**changes: Any) -> Traits:
    values = {
        "birth_name": "DUVAL-FICTIF",
        "first_birth_given_name": "CAMILLE",
        "birth_given_names": "CAMILLE ROSE",
        "birth_date": "1968-04-17",
        "sex": "F",
        "birth_place_code": "38185",
    }
    return Traits.model_validate(values | changes)


def _identity(**changes: Any) -> Identity:
    values = {"patient_id": "p-1", "site_id": "lilas", "revision": 1, "traits": _traits()}
    return Identity.model_validate(values | {"created_at": NOW, "updated_at": NOW} | changes)


def _token(*roles: str, sites: tuple[str, ...] = ("lilas",)) -> str:
    now = int(time.time())
    claims = {"iss": "navette-psc-auth", "aud": "ins", "sub": "user-1", "kind": "user", "iat": now, "exp": now + 100}
    claims |= {"jti": uuid.uuid4().hex, "roles": list(roles), "sites": list(sites), "rpps": "99700001003"}
    return jwt.encode({"alg": "ES256", "kid": "test"}, claims, KEY)


class Person(httpx.Auth):
    """Somebody with these roles, who shows a token of this moment at each request: a test may outlive one."""

    def __init__(self, *roles: str) -> None:
        self._roles = roles

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "Authorization" not in request.headers:
            request.headers["Authorization"] = f"Bearer {_token(*self._roles)}"
        yield request


@pytest.fixture(scope="session")
def traits() -> MakeTraits:
    """Makes the traits of a fictitious person."""
    return _traits


@pytest.fixture(scope="session")
def identity() -> MakeIdentity:
    """Makes the identity of a fictitious person."""
    return _identity


@pytest.fixture(scope="session")
def public_key() -> dict[str, Any]:
    """The key of those tokens, as psc-auth would publish it."""
    return dict(KEY.as_dict(private=False))


@pytest.fixture(scope="session")
def token() -> Callable[..., str]:
    """Makes an internal token of a person with these roles."""
    return _token


@dataclass
class Desk:
    """A secretary in front of the service, and what lies behind it."""

    service: Service
    insi: InsiSimulator
    http: httpx.AsyncClient
    keyring: Keyring

    async def create(self, **changes: Any) -> dict[str, Any]:
        body = _traits().model_dump(exclude={"birth_date_completed"}, exclude_none=True) | {"site_id": "lilas"}
        answer = await self.http.post("/patients", json=body | changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def act(self, patient_id: str, path: str, expect: int = 200, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/patients/{patient_id}/{path}", json=body or None)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    async def read(self, patient_id: str, path: str = "") -> dict[str, Any]:
        answer = await self.http.get(f"/patients/{patient_id}{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def search(self, patient_id: str) -> dict[str, Any]:
        """Ask INSi and wait for what it comes to."""
        asked = await self.act(patient_id, "insi-search", expect=202)

        async def finished() -> dict[str, Any] | None:
            state = await self.read(patient_id, f"/insi-calls/{asked['call_id']}")
            return state if state["state"] != "requested" else None

        return await until(finished)


@pytest.fixture
async def insi(pki: Pki, tmp_path: Path) -> AsyncIterator[InsiSimulator]:
    async with InsiSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path / "insi")) as simulator:
        yield simulator


@pytest.fixture
def settings(
    pki: Pki,
    tmp_path: Path,
    kafka_broker: EmbeddedBroker,
    mongo_server: MongoServer,
    mongo_database: str,
    insi: InsiSimulator,
) -> InsSettings:
    keys = create_keys(tmp_path / "keys", ["ins"])
    (tmp_path / "idam").write_text("NAV-TEST-1")
    (tmp_path / "index-key").write_text("0123456789abcdef" * 4)
    certificate, key = pki.pair("insi-client-manu")
    auto_certificate, auto_key = pki.pair("insi-client")
    kafka_broker.create_topics([name for topic in TOPICS for name in (topic.name, topic.dlq)])
    return InsSettings.model_validate(
        {
            "environment": "development",
            "kafka_bootstrap": kafka_broker.bootstrap,
            "kafka_idempotent": kafka_broker.idempotent,
            "mongo_uri": mongo_server.uri,
            "mongo_database": mongo_database,
            "psc_auth_url": "http://127.0.0.1:1",
            "keyring": keys.keyring,
            "insi_url": f"https://127.0.0.1:{insi.ports()['port']}/lps",
            "insi_ca": pki.igc_ca,
            "insi_client_cert": certificate,
            "insi_client_key": key,
            "insi_auto_cert": auto_certificate,
            "insi_auto_key": auto_key,
            "insi_again_seconds": 0.05,
            "insi_breaker_open_seconds": 1.0,
            "insi_idam_file": tmp_path / "idam",
            "index_key": tmp_path / "index-key",
            "lps_instance": str(uuid.uuid4()),
            "insi_retry_first_seconds": 0.2,
            "delivery_poll_seconds": 0.1,
            "outbox_poll_seconds": 0.1,
            "lease_ttl_seconds": 1.0,
        }
    )


OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


@asynccontextmanager
async def _open_desk(
    settings: InsSettings, insi: InsiSimulator, *roles: str, clock: Clock | None = None
) -> AsyncIterator[Desk]:
    async def public_keys() -> Any:
        return {"keys": [KEY.as_dict(private=False)]}

    service = create_service(settings, clock=clock)
    async with running(service, Mode.WORKER):
        service.mode = Mode.SERVE
        app = service.asgi
        app.state.token_verifier = TokenVerifier(audience="ins", jwks=JwksCache(public_keys), clock=SystemClock())
        person = Person(*(roles or ("secretary",)))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ins", auth=person) as http:
            yield Desk(service, insi, http, service.keyring)


@pytest.fixture(scope="session")
def open_desk() -> OpenDesk:
    """Opens a desk on a service of other settings, with other roles or another clock."""
    return _open_desk


@pytest.fixture
async def desk(settings: InsSettings, insi: InsiSimulator) -> AsyncIterator[Desk]:
    async with _open_desk(settings, insi) as opened:
        yield opened


class Commands:
    """Runs `python -m navette_ins …` with the settings of the test."""

    def __init__(self, settings: InsSettings) -> None:
        kept = settings.model_dump(exclude_none=True, exclude_defaults=True) | {
            "mongo_uri": settings.mongo_connection()
        }
        variables = {f"NAVETTE_{name.upper()}": str(value) for name, value in kept.items()}
        self.environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ} | variables
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "navette_ins", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    async def run(self, *arguments: str, seconds: float = 150) -> tuple[int, str]:
        """Exit status and everything that was printed."""
        process = self.start(*arguments)
        out, err = await asyncio.to_thread(process.communicate, timeout=seconds)
        return process.returncode, out + err


@pytest.fixture
def commands(settings: InsSettings) -> Iterator[Commands]:
    made = Commands(settings)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
