"""A running report service on the embedded broker and database, and the rest of the platform played by hand."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.http import build_app
from navette_chassis.testing import running, until
from navette_contracts.catalogue import TOPICS
from navette_contracts.events import Event, IdentityStatus, Ins, PatientIdentified, Traits
from navette_contracts.sealed import Sealed
from navette_report.app import create_service
from navette_report.domain.report import Report
from navette_report.settings import ReportSettings
from navette_report.use_cases.draft_report import draft_report
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.testing import broker_for_tests

SITE, OTHER_SITE, FOREIGN_SITE = "site-nord", "site-sud", "site-ailleurs"


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of its own: this service handles events that the tests of other services promise too."""
    yield from broker_for_tests(tmp_path_factory.mktemp("broker"))


def service_settings(kafka_broker: Any, mongo_server: Any, samples: Any, folder: Any, **changes: Any) -> ReportSettings:
    keyring = {"current": "k1", "keys": [{"kty": "oct", "kid": "k1", "k": "A" * 43, "alg": "A256GCM"}]}
    (folder / "keyring.json").write_text(json.dumps(keyring))
    sites = [
        samples.site(),
        samples.site(
            site_id=OTHER_SITE,
            oid_root="1.2.250.1.999.7.2",
            ipp_oid="1.2.250.1.999.7.2.5",
            radiologist_specialty="G15_10/SM74",
        ),
        samples.site(
            site_id=FOREIGN_SITE,
            oid_root="1.2.250.1.999.7.3",
            finess="999900024",
            finess_legal="999900024",
            dose_at_signature="refuse",
        ),
    ]
    (folder / "sites.json").write_text(json.dumps([site.model_dump(mode="json") for site in sites]))
    values: dict[str, Any] = {
        "environment": "development",
        "kafka_bootstrap": kafka_broker.bootstrap,
        "kafka_idempotent": kafka_broker.idempotent,
        "kafka_session_seconds": 2.0,
        "kafka_fetch_wait_ms": 10,
        "mongo_uri": mongo_server.uri,
        "mongo_database": f"test_{uuid.uuid4().hex[:12]}",
        "psc_auth_url": "http://127.0.0.1:1",
        "keyring": folder / "keyring.json",
        "sites_file": folder / "sites.json",
        "lease_ttl_seconds": 1.0,
        "outbox_poll_seconds": 0.2,
        "graceful_stop_seconds": 5.0,
    }
    return ReportSettings.model_validate(values | changes)


@dataclass
class World:
    """A running report service, callers of its API, and the rest of the platform played by hand."""

    service: Service
    app: Any
    key: ECKey
    samples: Any
    rpps: str
    site: str = SITE
    other_site: str = OTHER_SITE
    foreign_site: str = FOREIGN_SITE

    def new_patient(self) -> str:
        return f"patient-{uuid.uuid4().hex[:12]}"

    def caller(self, *roles: str, kind: str = "user", subject: str = "user-1", **claims: Any) -> httpx.AsyncClient:
        now = int(time.time())
        values = {
            "iss": "navette-psc-auth", "sub": subject, "aud": "report", "iat": now, "exp": now + 60,
            "jti": uuid.uuid4().hex, "kind": kind, "roles": list(roles), "sites": [SITE],
        } | claims  # fmt: skip
        token = jwt.encode({"alg": "ES256", "kid": "test"}, values, self.key)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url="http://report",
            headers={"Authorization": f"Bearer {token}"},
        )

    def radiologist(self, **claims: Any) -> httpx.AsyncClient:
        return self.caller("radiologist", **({"rpps": self.rpps, "name": "Dominique FICTIF-DURAND"} | claims))

    async def draft(self, patient_id: str, *, site_id: str = SITE, **content: Any) -> str:
        """A draft written without the API, which refuses a patient it does not know yet."""
        values = {"site_id": site_id, "content": self.samples.content(**content), "author": "user-1"}
        report: Report = await self.service.transact(draft_report, patient_id=patient_id, **values)
        return report.report_id

    async def post_draft(self, patient_id: str, site_id: str = SITE, **claims: Any) -> httpx.Response:
        content = self.samples.content().model_dump(mode="json")
        async with self.caller("secretary", **claims) as caller:
            return await caller.post(
                "/reports", json={"patient_id": patient_id, "site_id": site_id, "content": content}
            )

    async def sign(self, report_id: str, **choices: Any) -> httpx.Response:
        async with self.radiologist() as caller:
            return await caller.post(f"/reports/{report_id}/sign", json=choices)

    async def signed(self, patient_id: str, **choices: Any) -> str:
        report_id = await self.draft(patient_id)
        assert (await self.sign(report_id, **choices)).status_code == 200
        return report_id

    async def emit(self, event: Event) -> None:
        async def work(uow: Any) -> None:
            await uow.emit(event, subject=event.key)

        await self.service.transact(work)

    def identified(
        self, patient_id: str, *, qualified: bool, revision: int = 1, site_id: str = SITE, **traits: Any
    ) -> PatientIdentified:
        keyring = self.service.keyring
        known = self.samples.identity(**traits)
        return PatientIdentified(
            patient_id=patient_id,
            revision=revision,
            status=IdentityStatus.QUALIFIEE if qualified else IdentityStatus.PROVISOIRE,
            site_id=site_id,
            traits=Sealed[Traits].seal(known.traits, keyring),
            ins=Sealed[Ins].seal(known.ins, keyring) if qualified else None,
        )

    async def identify(self, patient_id: str, **identity: Any) -> None:
        await self.emit(self.identified(patient_id, **identity))

    async def known(self, patient_id: str, **identity: Any) -> str:
        """A patient whose identity has arrived."""
        await self.identify(patient_id, **({"qualified": True} | identity))

        async def projected() -> Any:
            return await self.service.database["patients"].find_one({"_id": patient_id, "revision": {"$exists": True}})

        await until(projected)
        return patient_id

    async def journey(self, report_id: str) -> dict[str, Any]:
        async with self.caller("secretary") as caller:
            answer = await caller.get(f"/reports/{report_id}/journey")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def lines(self, report_id: str) -> dict[str, dict[str, Any]]:
        return {line["recipient_id"]: line for line in (await self.journey(report_id))["lines"]}

    async def states(self, report_id: str) -> dict[str, str]:
        return {name: line["state"] for name, line in (await self.lines(report_id)).items()}

    async def become(self, report_id: str, **expected: str) -> dict[str, dict[str, Any]]:
        """Wait until the lines have these states ("corr_1" for "corr-1"), then return them."""
        wanted = {name.replace("_", "-"): state for name, state in expected.items()}

        async def reached() -> bool:
            return wanted.items() <= (await self.states(report_id)).items()

        try:
            await until(reached)
        except AssertionError:
            raise AssertionError(f"wanted {wanted}, got {await self.journey(report_id)}") from None
        return await self.lines(report_id)


WorldWith = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture(scope="module")
def world_with(kafka_broker: Any, mongo_server: Any, samples: Any, make_rpps: Any, tmp_path_factory: Any) -> WorldWith:
    """Runs a report service with these settings besides the usual ones."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[World]:
        names = [topic.name for topic in TOPICS]
        kafka_broker.create_topics([*names, *(f"{name}.dlq" for name in names)], partitions=2)
        settings = service_settings(kafka_broker, mongo_server, samples, tmp_path_factory.mktemp("report"), **changes)
        service = create_service(settings)
        key = ECKey.generate_key("P-256", {"kid": "test", "use": "sig"})

        async def jwks() -> Any:
            return {"keys": [key.as_dict(private=False)]}

        verifier = TokenVerifier(audience="report", jwks=JwksCache(jwks), clock=service.clock)
        async with running(service, seconds=60):
            yield World(service, build_app(service, verifier=verifier), key, samples, make_rpps(1))

    return opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(world_with: WorldWith) -> AsyncIterator[World]:
    async with world_with() as opened:
        yield opened


@dataclass
class Promised:
    """Events the service promised, with their sequence, as they are promised: the relay removes the rows."""

    seen: list[tuple[Event, int | None]]

    def of(self, kind: type[Event], report_id: str) -> list[Any]:
        return [event for event, _ in self.seen if isinstance(event, kind) and event.key == report_id]


@pytest.fixture
def outbox_events(monkeypatch: pytest.MonkeyPatch) -> Promised:
    promised = Promised([])
    original = UnitOfWork.emit

    async def emit(self: Any, event: Event, *, subject: str, sequence: int | None = None) -> None:
        promised.seen.append((event, sequence))
        await original(self, event, subject=subject, sequence=sequence)

    monkeypatch.setattr(UnitOfWork, "emit", emit)
    return promised
