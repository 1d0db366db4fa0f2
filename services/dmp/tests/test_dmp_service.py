"""The whole service on an embedded broker and database, between a stand-in for report and the DMP double."""

import asyncio
import hashlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Service, uuid7
from navette_chassis.testing import running, until
from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import (
    DmpPublished,
    DmpRejected,
    DmpVisibilityChanged,
    DmpWithdrawn,
    ReportComposed,
    ReportWithdrawn,
)
from navette_dmp.app import create_service
from navette_dmp.settings import DmpSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_port
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.dmp import DmpSettings as DoubleSettings
from navette_sandbox.simulators.dmp import DmpSimulator
from navette_sandbox.simulators.http import HttpServer, Request, Response
from pymongo import AsyncMongoClient

TOPICS = (
    "report.composed", "report.withdrawn", "dmp.published", "dmp.rejected", "dmp.withdrawn", "dmp.visibility_changed",
    "access.recorded",
)  # fmt: skip
SECRETS = ("279035121518989", "CANARI-FICTIF", "IPP-CANARI", "LOUISE", "HOMOLOGATION-SECRETE", "19790328")


KINDS = {kind.topic(): kind for kind in (DmpPublished, DmpRejected, DmpWithdrawn, DmpVisibilityChanged)}


@dataclass
class Neighbours:
    """psc-auth, which gives tokens, and report, which gives documents, on one port."""

    documents: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    key: ECKey = field(
        default_factory=lambda: ECKey.generate_key("P-256", {"kid": "psc-1", "use": "sig", "alg": "ES256"})
    )

    def authorization(self, **claims: Any) -> dict[str, str]:
        """Header with an internal token as psc-auth makes them."""
        now = int(datetime.now(UTC).timestamp())
        values = {"iss": "navette-psc-auth", "aud": "dmp", "sub": "someone", "iat": now, "exp": now + 60}
        values |= {"jti": uuid7(), "sites": [], **claims}
        return {"Authorization": "Bearer " + jwt.encode({"alg": "ES256", "kid": "psc-1"}, values, self.key)}

    async def answer(self, request: Request) -> Response:
        self.calls.append(request.path)
        if request.path == "/internal/tokens":
            return Response(body=json.dumps({"access_token": "token-1", "expires_in": 120}).encode())
        if request.path == "/.well-known/jwks.json":
            return Response(body=json.dumps({"keys": [self.key.as_dict(private=False)]}).encode())
        if request.headers.get("authorization") != "Bearer token-1":
            return Response(status=401)
        data = self.documents.get(request.path.removeprefix("/internal/documents/").removesuffix("/cda"))
        return Response(status=404) if data is None else Response(body=data, content_type="text/xml")


@dataclass
class World:
    """The service, what surrounds it, and what it says on Kafka."""

    broker: EmbeddedBroker
    double: DmpSimulator
    neighbours: Neighbours
    settings: DmpSettings
    make_cda: Any
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    root: str = field(default_factory=lambda: f"1.2.250.1.999.7.1.{uuid.uuid4().int % 10**9}")

    def service(self) -> Service:
        return create_service(self.settings)

    def composed(
        self, number: int = 1, *, version: int = 1, replaces: ReportComposed | None = None, **changes: Any
    ) -> ReportComposed:
        """An event about document `number` that report has; versions of one report share its first number."""
        unique_id = f"{self.root}.{number}"
        replaced = replaces.document.unique_id if replaces else None
        cda = self.make_cda(unique_id, version=version, replaces=replaced)
        document_id = f"doc-{self.run}-{number}"
        self.neighbours.documents[document_id] = cda
        values: dict[str, Any] = {
            "report_id": replaces.report_id if replaces else f"report-{self.run}-{number}",
            "version": version,
            "patient_id": "patient-1",
            "site_id": "lilas",
            "document": {
                "document_id": document_id,
                "cda_sha256": hashlib.sha256(cda).hexdigest(),
                "cda_size": len(cda),
                "pdf_sha256": "0" * 64,
                "pdf_size": 9,
                "unique_id": unique_id,
                "set_id": f"{self.root}.0",
                "version_number": version,
                "level": "N1",
            },
            "ins_qualified": True,
            "audience": ["dmp", "professionals"],
            "recipients": [],
            "author_rpps": "99700000013",
            "replaces_unique_id": replaced,
            "composed_at": datetime.now(UTC).isoformat(),
        }
        return ReportComposed.model_validate_json(json.dumps(values | changes))

    async def withdraw(self, event: ReportComposed, *, sequence: int = 9) -> ReportWithdrawn:
        """The report was withdrawn."""
        withdrawn = ReportWithdrawn(
            report_id=event.report_id,
            version=event.version,
            unique_id=event.document.unique_id,
            withdrawn_by_rpps="99700000013",
            withdrawn_at=datetime.now(UTC),
        )
        await self.send(withdrawn, sequence=sequence)
        return withdrawn

    async def send(
        self, event: ReportComposed | ReportWithdrawn, *, event_id: str | None = None, sequence: int | None = None
    ) -> str:
        envelope = Envelope(
            id=event_id or uuid7(),
            type=event.type,
            source="/navette/report",
            time=datetime.now(UTC),
            subject=event.report_id,
            sequence=event.version if sequence is None else sequence,
            correlation_id=f"c-{self.run}",
            causation_id=None,
            traceparent=None,
        )
        headers, body = encode(envelope, event.model_dump_json().encode())
        async with AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all") as producer:
            key = event.report_id.encode()
            await producer.send_and_wait(event.topic(), value=body, key=key, headers=headers)
        return envelope.id

    async def next_outcome(self, event: ReportComposed, *topics: str) -> Any:
        """What the service says about a document: DmpPublished or DmpRejected, or what the topics named carry."""
        async with asyncio.timeout(60):
            async with AIOKafkaConsumer(
                *(topics or ("dmp.published", "dmp.rejected")),
                bootstrap_servers=self.broker.bootstrap,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=20,
            ) as consumer:
                async for record in consumer:
                    found = KINDS[record.topic].parse(record.value)
                    if found.unique_id == event.document.unique_id:
                        return found
        raise AssertionError

    def fault(self, kind: str, **script: Any) -> None:
        """One fault for the next submission."""
        self.double.faults.add({"target": "provide", "kind": kind, "count": 1, **script})

    def reports(self) -> dict[str, Any]:
        return {
            unique_id: entry
            for unique_id, entry in self.double.registry.entries.items()
            if not entry.signature and unique_id.startswith(self.root)
        }


@pytest.fixture
async def world(
    kafka_broker: EmbeddedBroker,
    mongo_server: MongoServer,
    mongo_database: str,
    pki: Pki,
    tmp_path: Path,
    sites_json: bytes,
    make_cda: Any,
) -> AsyncIterator[World]:
    kafka_broker.create_topics([*TOPICS, *(f"{topic}.dlq" for topic in TOPICS)])
    neighbours = Neighbours()
    server = HttpServer(neighbours.answer)
    await server.start()
    key = ECKey.generate_key("P-256", {"kid": "dmp-1", "use": "sig", "alg": "ES256"})
    (tmp_path / "service-key.json").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "sites.json").write_bytes(sites_json)
    (tmp_path / "homologation").write_text("HOMOLOGATION-SECRETE\n")
    double_settings = DoubleSettings(structures={"1990000002": ["1990000001"]})
    config = SimulatorConfig(pki.directory, tmp_path / "dmp-state")
    async with DmpSimulator(config, double_settings) as double:
        settings = DmpSettings(
            environment="development",
            kafka_bootstrap=kafka_broker.bootstrap,
            kafka_idempotent=kafka_broker.idempotent,
            kafka_session_seconds=6.0 if kafka_broker.kind == "kafka" else 3.0,
            kafka_fetch_wait_ms=10,
            mongo_uri=mongo_server.uri,
            mongo_database=mongo_database,
            psc_auth_url=f"http://127.0.0.1:{server.port}",
            service_urls={"report": f"http://127.0.0.1:{server.port}"},
            service_key=tmp_path / "service-key.json",
            sites_file=tmp_path / "sites.json",
            http_host="127.0.0.1",
            http_port=0,
            lease_ttl_seconds=1.0,
            delivery_lease_seconds=5.0,
            outbox_poll_seconds=0.1,
            delivery_poll_seconds=0.1,
            dmp_url=f"https://localhost:{double.ports()['port']}/si-dmp-server/v2/services",
            dmp_ca=pki.igc_ca,
            dmp_auth_cert=pki.cert("dmp-auth"),
            dmp_auth_key=pki.key("dmp-auth"),
            dmp_sign_cert=pki.cert("dmp-sign"),
            dmp_sign_key=pki.key("dmp-sign"),
            dmp_homologation_file=tmp_path / "homologation",
            dmp_source_id="1.2.250.1.999.9.1",
            dmp_read_seconds=30,
            dmp_first_retry_seconds=0.2,
            dmp_probe_seconds=0.3,
        )
        yield World(kafka_broker, double, neighbours, settings, make_cda)
    await server.stop()


@pytest.mark.dsr("RIS.DMP.01")
async def test_a_composed_report_is_published_and_the_fact_is_told(world: World) -> None:
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpPublished)
    entry = world.reports()[event.document.unique_id]
    assert outcome.report_id == event.report_id
    assert outcome.submission_unique_id == entry.submission_unique_id
    assert hashlib.sha256(entry.content).hexdigest() == event.document.cda_sha256


async def test_the_same_fact_told_again_is_published_once(world: World) -> None:
    event, last = world.composed(1), world.composed(2)
    async with running(world.service()):
        event_id = await world.send(event)
        await world.send(event, event_id=event_id)  # the same message again
        await world.send(event)  # the same fact in another message
        await world.send(last)
        await world.next_outcome(event)
        await world.next_outcome(last)
    assert set(world.reports()) == {event.document.unique_id, last.document.unique_id}
    assert len(world.double.registry.lots) == 2
    assert world.double.refusals.entries == []


@pytest.mark.dsr("RIS.DMP.02", "DB/RIS.10")
async def test_a_new_version_replaces_the_old_one(world: World) -> None:
    first = world.composed(1)
    second = world.composed(2, version=2, replaces=first)
    async with running(world.service()):
        await world.send(first)
        await world.send(second)
        assert isinstance(await world.next_outcome(first), DmpPublished)
        assert isinstance(await world.next_outcome(second), DmpPublished)
    reports = world.reports()
    assert reports[second.document.unique_id].replaces == first.document.unique_id
    assert reports[first.document.unique_id].status.endswith(":Deprecated")


@pytest.mark.dsr("RIS.DMP.02", "DB/RIS.10", "DMP/CONF.03")
async def test_a_withdrawn_report_is_deleted_and_the_fact_is_told(world: World) -> None:
    first = world.composed(1)
    second = world.composed(2, version=2, replaces=first)
    async with running(world.service()):
        await world.send(first)
        await world.send(second)
        await world.next_outcome(second)
        await world.withdraw(second)
        assert (await world.next_outcome(second, "dmp.withdrawn")).version == 2
    reports = world.reports()
    assert reports[second.document.unique_id].status.endswith(":Deleted")
    assert reports[first.document.unique_id].status.endswith(":Deprecated")
    assert world.double.refusals.entries == []


async def test_a_deletion_whose_answer_was_lost_is_made_once(world: World) -> None:
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        await world.next_outcome(event)
        world.fault("lost_answer", target="update")
        await world.withdraw(event)
        await world.next_outcome(event, "dmp.withdrawn")
    assert [lot["operation"] for lot in world.double.registry.lots] == ["provide", "update"]
    assert world.double.refusals.entries == []


async def test_a_report_withdrawn_before_it_was_published_never_reaches_the_dmp(world: World) -> None:
    event = world.composed()
    world.double.faults.add({"kind": "down"})
    async with running(world.service()):
        await world.send(event)
        await until(lambda: _deliveries(world, "dmp.publish"))
        await world.withdraw(event)
        outcome = await world.next_outcome(event)
        assert (outcome.error_class, outcome.code) == ("cancelled", "withdrawn")
        world.double.faults.clear()
        await until(lambda: _ended(world, "dmp.withdraw"))
    assert world.reports() == {}


async def _replay(world: World, service: Service, event: ReportComposed) -> httpx.Response:
    """An operator lets the publication of a document go again."""
    row = await service.database["deliveries_done"].find_one({"key": event.document.unique_id})
    assert row is not None
    return await _operate(world, service, f"/ops/deliveries/{row['_id']}/replay")


async def _operate(world: World, service: Service, path: str, **body: Any) -> httpx.Response:
    headers = world.neighbours.authorization(kind="user", roles=["operator"])
    transport = httpx.ASGITransport(app=service.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://dmp") as client:
        return await client.post(path, headers=headers, json=body)


async def test_a_withdrawn_report_is_not_published_again_however_it_is_replayed(world: World) -> None:
    waiting, rejected = world.composed(1), world.composed(2)
    service = world.service()
    async with running(service):
        world.fault("down", target="*", count=None)
        await world.send(waiting)
        await until(lambda: _deliveries(world, "dmp.publish"))
        await world.withdraw(waiting)
        assert (await world.next_outcome(waiting)).code == "withdrawn"
        world.double.faults.clear()
        world.double.patient_states["279035121518989"] = "none"
        await world.send(rejected)
        assert (await world.next_outcome(rejected)).code == "XDSUnknownPatientId"
        world.double.patient_states.clear()
        await world.withdraw(rejected)
        await until(lambda: service.database["withdrawn"].find_one({"_id": rejected.report_id}))
        for event in (waiting, rejected):
            answer = await _replay(world, service, event)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:navette:problem:delivery-obsolete")
            assert answer.json()["detail"].startswith("Ce compte rendu a été retiré")
        for state in ("cancelled", "rejected"):
            path = "/ops/deliveries/replay"
            answer = await _operate(world, service, path, state=state, channel="dmp.publish", dry_run=False)
            assert answer.json()["replayed"] == 0
    assert world.reports() == {}


async def test_only_the_last_document_of_a_report_is_replayed(world: World) -> None:
    first = world.composed(1)
    second = world.composed(2, version=2, report_id=first.report_id)
    service = world.service()
    async with running(service):
        world.double.patient_states["279035121518989"] = "none"
        for event in (first, second):
            await world.send(event)
            assert (await world.next_outcome(event)).code == "XDSUnknownPatientId"
        world.double.patient_states.clear()
        answer = await _replay(world, service, first)
        assert (answer.status_code, "plus récent" in answer.json()["detail"]) == (409, True)
        assert (await _replay(world, service, second)).status_code == 202
        await until(lambda: second.document.unique_id in world.reports())
    assert set(world.reports()) == {second.document.unique_id}


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_correction_of_what_the_dmp_refused_is_told_apart_from_other_refusals(world: World) -> None:
    first = world.composed(1)
    second = world.composed(2, version=2, replaces=first)
    original = world.composed(3, version=2, report_id=first.report_id)
    async with running(world.service()):
        world.double.patient_states["279035121518989"] = "none"
        await world.send(first)
        assert (await world.next_outcome(first)).code == "XDSUnknownPatientId"
        world.double.patient_states.clear()
        await world.send(second)
        refused = await world.next_outcome(second)
        assert (refused.code, refused.error_class) == ("replaced-document-absent", "permanent")
        await world.send(original)
        assert isinstance(await world.next_outcome(original), DmpPublished)
    assert set(world.reports()) == {original.document.unique_id}


@pytest.mark.dsr("RIS.CRR.03")
async def test_the_announced_edition_takes_the_place_of_the_hidden_one(world: World) -> None:
    hidden = world.composed(1, visibility={"hidden_from_patient": True})
    shown = world.composed(2, replaces=hidden)
    async with running(world.service()):
        await world.send(hidden)
        await world.next_outcome(hidden)
        await world.send(shown, sequence=2)
        await world.next_outcome(shown, "dmp.visibility_changed")
    reports = world.reports()
    assert "INVISIBLE_PATIENT" in reports[hidden.document.unique_id].masks
    assert reports[hidden.document.unique_id].status.endswith(":Deprecated")
    assert reports[shown.document.unique_id].masks == ["N"]


async def _deliveries(world: World, channel: str) -> bool:
    return await _count(world, "deliveries", channel) > 0


async def _ended(world: World, channel: str) -> bool:
    return await _count(world, "deliveries_done", channel) > 0


async def _count(world: World, collection: str, channel: str) -> int:
    async with AsyncMongoClient(world.settings.mongo_uri.get_secret_value()) as client:
        found = client[str(world.settings.mongo_database)][collection]
        return await found.count_documents({"channel": channel})


async def test_an_answer_that_is_lost_leaves_one_document_and_one_fact(world: World) -> None:
    world.fault("lost_answer")
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpPublished)
    assert outcome.entry_uuid == world.reports()[event.document.unique_id].entry_uuid
    assert len(world.double.registry.lots) == 1


@pytest.mark.dsr("DMP/UX.10")
async def test_an_outage_is_noticed_once_at_each_end_and_nothing_is_sent_twice(world: World) -> None:
    events = [world.composed(number) for number in range(1, 6)]
    world.double.faults.add({"kind": "down"})
    service = world.service()
    async with running(service):
        for event in events:
            await world.send(event)
        await until(lambda: notices_of(service, 1))
        world.double.faults.clear()
        outcomes = [await world.next_outcome(event) for event in events]
        notices = await until(lambda: notices_of(service, 2))
    assert {type(outcome) for outcome in outcomes} == {DmpPublished}
    assert sorted(notice["kind"] for notice in notices) == ["outage_ended", "outage_started"]
    assert len(world.reports()) == len(world.double.registry.lots) == 5


async def notices_of(service: Service, count: int) -> list[dict[str, Any]] | None:
    found = [notice async for notice in service.database["notices"].find({"endpoint": "dmp"})]
    return found if len(found) >= count else None


async def test_a_patient_without_dmp_is_told_to_the_secretary(world: World) -> None:
    world.double.patient_states["279035121518989"] = "none"
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpRejected)
    assert (outcome.code, outcome.error_class.value) == ("XDSUnknownPatientId", "permanent")
    assert outcome.who_must_act.value == "secretary"


@pytest.mark.dsr("RIS.INS.37")
async def test_an_identity_that_is_not_qualified_never_reaches_the_dmp(world: World) -> None:
    event = world.composed(ins_qualified=False)
    async with running(world.service()):
        await world.send(event)
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpRejected)
    assert (outcome.code, outcome.who_must_act.value) == ("ins-not-qualified", "secretary")
    assert world.reports() == {}
    assert f"/internal/documents/{event.document.document_id}/cda" not in world.neighbours.calls


@pytest.mark.dsr("RIS.DMP.03")
async def test_an_edition_for_others_is_left_alone(world: World) -> None:
    for_others = world.composed(1, audience=["professionals", "patient"])
    for_dmp = world.composed(2)
    service = world.service()
    async with running(service):
        await world.send(for_others)
        await world.send(for_dmp)
        assert isinstance(await world.next_outcome(for_dmp), DmpPublished)
        assert await service.database["publications"].find_one({"_id": for_others.document.unique_id}) is None
    assert set(world.reports()) == {for_dmp.document.unique_id}


async def test_a_document_that_was_altered_is_not_sent(world: World) -> None:
    event = world.composed()
    world.neighbours.documents[event.document.document_id] += b" "
    async with running(world.service()):
        await world.send(event)
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpRejected)
    assert outcome.who_must_act.value == "operator"
    assert world.reports() == {}


# --- the process


async def test_the_process_serves_logs_no_identity_and_stops_when_told(world: World) -> None:
    port = free_port()
    refused, lost, fine = (world.composed(number) for number in (1, 2, 3))
    async with process(world, port) as child:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await until(lambda: answers(client, "/readyz"))
        world.fault("registry_error", code="XDSPatientIdDoesNotMatch")
        await world.send(refused)
        await world.next_outcome(refused)
        world.fault("lost_answer")
        await world.send(lost)
        await world.next_outcome(lost)
        await world.send(fine)
        assert isinstance(await world.next_outcome(fine), DmpPublished)
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 60) == 0
        assert child.stdout is not None
        logged = (await child.stdout.read()).decode()
    stored = await dump(world)
    assert "delivery.attempted" in logged
    assert fine.document.unique_id in stored
    for secret in SECRETS:
        assert secret not in logged
        assert secret not in stored


async def test_a_process_killed_while_the_dmp_answers_leaves_one_document(world: World) -> None:
    event = world.composed()
    world.fault("slow", delay=1.0)
    async with process(world, free_port()) as child:
        await world.send(event)
        await until(lambda: world.double.faults.as_json()[0]["hits"])  # the request has arrived
        child.kill()
        await child.wait()
    await until(lambda: event.document.unique_id in world.reports())
    async with process(world, free_port()):
        outcome = await world.next_outcome(event)
    assert isinstance(outcome, DmpPublished)
    assert outcome.entry_uuid == world.reports()[event.document.unique_id].entry_uuid
    assert len(world.double.registry.lots) == 1


async def test_a_process_with_the_certificates_swapped_refuses_to_start(world: World, pki: Pki) -> None:
    swapped = {
        "NAVETTE_DMP_SIGN_CERT": str(pki.cert("dmp-auth")),
        "NAVETTE_DMP_SIGN_KEY": str(pki.key("dmp-auth")),
    }
    async with process(world, free_port(), **swapped) as child:
        assert await asyncio.wait_for(child.wait(), 60) == 78
        assert child.stdout is not None
        said = (await child.stdout.read()).decode()
    assert said.strip() == "dmp_sign_cert: an authentication certificate cannot sign"


@asynccontextmanager
async def process(world: World, port: int, **changes: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m navette_dmp serve` with the settings of the world."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "navette_dmp",
        "serve",
        env={"PATH": os.environ["PATH"], **environment(world.settings, port), **changes},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def environment(settings: DmpSettings, port: int) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in settings.model_fields_set} | {"http_port": port}
    return {f"NAVETTE_{name.upper()}": text_of(value) for name, value in values.items()}


def text_of(value: Any) -> str:
    if hasattr(value, "get_secret_value"):
        return str(value.get_secret_value())
    return json.dumps(value) if isinstance(value, dict) else str(value)


async def answers(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx.TransportError:
        return False


# --- the route


async def test_an_operator_and_a_service_may_see_the_publications_and_nobody_else(world: World) -> None:
    event = world.composed()
    service = world.service()
    async with running(service):
        await world.send(event)
        outcome = await world.next_outcome(event)
        transport = httpx.ASGITransport(app=service.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://dmp") as client:
            path = f"/publications/{event.report_id}"
            statuses = [
                (await client.get(path, headers=world.neighbours.authorization(**claims))).status_code
                for claims in (
                    {"kind": "user", "roles": ["operator"]},
                    {"kind": "service", "roles": []},
                    {"kind": "user", "roles": ["radiologist"]},
                    {"kind": "user", "roles": ["operator"], "aud": "mss"},
                )
            ]
            anonymous = await client.get(path)
            (shown,) = (await client.get(path, headers=world.neighbours.authorization(kind="service", roles=[]))).json()
    assert statuses == [200, 200, 403, 401]
    assert anonymous.status_code == 401
    assert isinstance(outcome, DmpPublished)
    assert (shown["status"], shown["code"], shown["version"]) == ("published", "ok", 1)
    assert shown["submission_unique_id"] == outcome.submission_unique_id


async def dump(world: World) -> str:
    """Everything in the database of the service."""
    async with AsyncMongoClient[dict[str, Any]](world.settings.mongo_connection()) as client:
        database = client[world.settings.mongo_database]
        names = await database.list_collection_names()
        return "\n".join([str(document) for name in names async for document in database[name].find({})])
