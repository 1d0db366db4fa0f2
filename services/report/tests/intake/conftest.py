"""The report service with its intake open, old systems that send to it, and patients it knows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Received, Service, UnitOfWork
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.http import build_app
from navette_chassis.mllp import MllpServer
from navette_chassis.testing import running, until
from navette_contracts.catalogue import TOPICS
from navette_contracts.events import Event, IdentityStatus, Ins, PatientIdentified, PatientMerged, Traits
from navette_contracts.sealed import Sealed
from navette_documents.hl7v2 import Acknowledgement, read_ack
from navette_report.adapters.intake_messages import MESSAGES
from navette_report.app import create_service
from navette_report.settings import ReportSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.testing import broker_for_tests

KEY = ECKey.generate_key("P-256", {"kid": "intake", "use": "sig"})
SITE, OTHER_SITE, FOREIGN_SITE = "site-nord", "site-sud", "site-ailleurs"
KEYRING = {"current": "k1", "keys": [{"kty": "oct", "kid": "k1", "k": "A" * 43, "alg": "A256GCM"}]}
STUDY_UID = "1.2.250.1.999.1.20261106.778"
CHEST = {
    "title": "Scanner thoracique",
    "acts": [
        {"loinc_code": "24628-0", "loinc_label": "CT thorax avec contraste IV", "modality": "CT", "region": "67734004"}
    ],
}


def senders(rpps: Callable[[int], str]) -> list[dict[str, Any]]:
    """The reference messages write RPPS whose key is wrong: their numbers are known as local ones."""
    one = {
        "name": "ancien-ris",
        "application": "OLDRIS",
        "facility": "CH-TEST",
        "site_id": SITE,
        "authority": "CH-TEST",
        "authority_id": "990000019",
        "exams": {"TDMTHO": CHEST, "modality:CT": CHEST, "69536005": CHEST},
        "professionals": {"899700000027": rpps(27), "899700000001": rpps(1), "801234564895": rpps(48)},
    }
    others = [
        {"name": "ris-y", "application": "RIS-Y", "facility": "Organisation-Y"},
        {"name": "pfi-y", "application": "PFI-Y", "facility": "Organisation-Y"},
        {"name": "sil-y", "application": "SIL-Y", "facility": "labo"},
    ]
    return [one, *(one | other for other in others)]


@dataclass
class Links:
    """The service, whoever sends to it, and the people who look after what came."""

    service: Service
    app: Any
    samples: Any
    rpps: Callable[[int], str]
    settings: ReportSettings

    @property
    def port(self) -> int:
        opened = [one.opened[0] for one in self.service.resources if one.opened]
        return next(one for one in opened if isinstance(one, MllpServer)).port

    async def raw(self, data: bytes, *, framed: bool = True) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"\x0b" + data + b"\x1c\r" if framed else data)
        try:
            return (await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 30))[1:-2]
        finally:
            writer.close()

    async def send(self, data: bytes) -> Acknowledgement:
        return read_ack(await self.raw(data))

    async def row(self, control_id: str) -> dict[str, Any]:
        """The message of that number, once it is settled."""

        async def settled() -> Any:
            rows = await self.service.database[MESSAGES].find({"control_id": control_id}).to_list()
            return rows[-1] if rows and rows[-1]["state"] != "received" else None

        return dict(await until(settled, 60))

    async def become(self, control_id: str, state: str) -> dict[str, Any]:
        async def reached() -> Any:
            return await self.service.database[MESSAGES].find_one({"control_id": control_id, "state": state})

        try:
            return dict(await until(reached, 60))
        except AssertionError:
            rows = await self.service.database[MESSAGES].find({"control_id": control_id}).to_list()
            raise AssertionError([(one["state"], one["reason"], one["remarks"]) for one in rows]) from None

    async def take(self, data: bytes, state: str = "integrated") -> dict[str, Any]:
        """Send a message, see it accepted, and wait for what becomes of it."""
        answer = await self.send(data)
        assert answer.code == "AA", answer
        return await self.become(answer.control_id, state)

    def caller(self, *roles: str, **claims: Any) -> httpx.AsyncClient:
        now = int(time.time())
        values: dict[str, Any] = {"iss": "navette-psc-auth", "sub": "user-1", "aud": "report", "iat": now}
        values |= {"exp": now + 100, "jti": uuid.uuid4().hex, "kind": "user", "roles": list(roles), "sites": [SITE]}
        token = jwt.encode({"alg": "ES256", "kid": "intake"}, values | claims, KEY)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url="http://report",
            headers={"Authorization": f"Bearer {token}"},
        )

    async def ask(self, method: str, path: str, *, roles: tuple[str, ...] = ("secretary",), **more: Any) -> Any:
        claims = {"rpps": self.rpps(27), "name": "Charlie RADIOLOGUE"} if "radiologist" in roles else {}
        async with self.caller(*roles, **claims) as http:
            answer = await http.request(method, path, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def report(self, report_id: str) -> dict[str, Any]:
        return dict(await self.ask("GET", f"/reports/{report_id}"))

    async def reports(self) -> list[dict[str, Any]]:
        return [one["report"] for one in (await self.ask("GET", "/reports"))["reports"]]

    async def sign(self, report_id: str) -> httpx.Response:
        async with self.caller("radiologist", rpps=self.rpps(27), name="Charlie RADIOLOGUE") as http:
            return await http.post(f"/reports/{report_id}/sign", json={})

    async def composed(self, report_id: str) -> None:
        async def done() -> bool:
            return str((await self.report(report_id))["state"]) == "composed"

        await until(done, 60)

    async def draft(self, patient_id: str, **content: Any) -> str:
        body = {"patient_id": patient_id, "site_id": SITE}
        body["content"] = self.samples.content(**content).model_dump(mode="json")
        return str((await self.ask("POST", "/reports", json=body))["report_id"])

    async def identify(
        self, patient_id: str = "", *, revision: int = 1, site: str = SITE, ins: Ins | None = None, **traits: Any
    ) -> str:
        """The identity service tells who somebody is: by default the person of the reference messages."""
        patient_id = patient_id or f"patient-{uuid.uuid4().hex[:12]}"
        values = {"local_id": "100200"} | traits
        keyring = self.service.keyring
        event = PatientIdentified(
            patient_id=patient_id,
            revision=revision,
            status=IdentityStatus.PROVISOIRE if ins is None else IdentityStatus.QUALIFIEE,
            site_id=site,
            traits=Sealed[Traits].seal(self.samples.traits(**values), keyring),
            ins=None if ins is None else Sealed[Ins].seal(ins, keyring),
        )
        await self.told(event)
        return patient_id

    async def merge(self, absorbed: str, surviving: str) -> None:
        await self.told(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2))

    async def told(self, event: Event) -> None:
        """What the identity service told, handled as its event would be."""
        subscription = next(one for one in self.service.subscriptions if one.event_class is type(event))
        received = Received(
            event=event,
            id=uuid.uuid4().hex,
            time=self.service.clock.now(),
            subject=event.key,
            sequence=None,
            correlation_id="test",
            causation_id=None,
        )

        async def handle(uow: UnitOfWork) -> None:
            await subscription.handler(received, uow)

        await self.service.transact(handle)


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of its own: this service handles events that the tests of other services promise too."""
    yield from broker_for_tests(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="session")
def folder() -> Path:
    default = Path(__file__).resolve().parents[4].parent / "shared" / "conformance"
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default)) / "hl7v2"
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path


@pytest.fixture(scope="session")
def reference(folder: Path) -> Callable[..., bytes]:
    """A reference message with changes by field: `reference("oru_r01_legacy_pdf", MSH_10="X1", OBR_25="C")`."""

    def read(name: str, **changes: str | None) -> bytes:
        path = next(folder.glob(f"{name}*" if "/" in name else f"*/{name}*"))
        text = path.read_bytes().decode("utf-8", errors="surrogateescape")
        for where, value in changes.items():
            segment, number = where.split("_")
            lines = re.split(r"[\r\n]+", text.strip())
            for index, line in enumerate(lines):
                if line.startswith(segment + "|") and value is not None:
                    fields = line.split("|")
                    position = int(number) - (1 if segment == "MSH" else 0)
                    fields += [""] * (position + 1 - len(fields))
                    fields[position] = value
                    lines[index] = "|".join(fields)
            text = "\r".join(line for line in lines if value is not None or not line.startswith(segment + "|")) + "\r"
        return text.encode("utf-8", errors="surrogateescape")

    return read


@pytest.fixture(scope="session")
def oru(reference: Callable[..., bytes]) -> Callable[..., bytes]:
    """The old system's text report, with the Study Instance UID that a new draft needs."""

    def read(**changes: str | None) -> bytes:
        return reference("oru_r01_legacy_text", **changes) + f"ZDS|{STUDY_UID}^OLDRIS^Application^DICOM\r".encode()

    return read


@pytest.fixture
def intake_settings(
    kafka_broker: Any, mongo_server: Any, mongo_database: str, samples: Any, make_rpps: Any, tmp_path: Path
) -> ReportSettings:
    (tmp_path / "keyring.json").write_text(json.dumps(KEYRING))
    sites = [samples.site(), samples.site(site_id=OTHER_SITE, oid_root="1.2.250.1.999.7.2")]
    sites.append(samples.site(site_id=FOREIGN_SITE, oid_root="1.2.250.1.999.7.3", identity_domain="ailleurs"))
    (tmp_path / "sites.json").write_text(json.dumps([site.model_dump(mode="json") for site in sites]))
    (tmp_path / "senders.json").write_text(json.dumps(senders(make_rpps)))
    (tmp_path / "index-key").write_bytes(b"i" * 32)
    names = [topic.name for topic in TOPICS]
    kafka_broker.create_topics([*names, *(f"{name}.dlq" for name in names)], partitions=2)
    values: dict[str, Any] = {
        "environment": "development",
        "kafka_bootstrap": kafka_broker.bootstrap,
        "kafka_idempotent": kafka_broker.idempotent,
        "kafka_session_seconds": 2.0,
        "kafka_fetch_wait_ms": 10,
        "mongo_uri": mongo_server.uri,
        "mongo_database": mongo_database,
        "psc_auth_url": "http://127.0.0.1:1",
        "keyring": tmp_path / "keyring.json",
        "sites_file": tmp_path / "sites.json",
        "lease_ttl_seconds": 1.0,
        "outbox_poll_seconds": 0.2,
        "graceful_stop_seconds": 5.0,
        "index_key": tmp_path / "index-key",
        "intake_port": 0,
        "intake_senders_file": tmp_path / "senders.json",
        "intake_poll_seconds": 0.2,
    }
    return ReportSettings.model_validate(values)


@pytest.fixture
def open_links(intake_settings: ReportSettings, samples: Any, make_rpps: Any) -> Callable[..., Any]:
    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Links]:
        settings = intake_settings.model_copy(update=changes)
        service = create_service(settings)

        async def jwks() -> Any:
            return {"keys": [KEY.as_dict(private=False)]}

        verifier = TokenVerifier(audience="report", jwks=JwksCache(jwks), clock=service.clock)
        async with running(service, seconds=60):
            yield Links(service, build_app(service, verifier=verifier), samples, make_rpps, settings)

    return start


@pytest.fixture
async def links(open_links: Callable[..., Any]) -> AsyncIterator[Links]:
    async with open_links() as opened:
        yield opened
