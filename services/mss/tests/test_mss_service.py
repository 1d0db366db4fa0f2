"""The whole service on an embedded broker and database, between report, the directory and the operator."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Service, SystemClock, telemetry, uuid7
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.testing import running, until
from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import Event, MssDelivered, MssFailed, MssSent, ReportComposed, ReportWithdrawn
from navette_mss.app import create_service
from navette_mss.settings import MssSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.annuaire.server import AnnuaireSimulator
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.http import HttpServer, Request, Response
from navette_sandbox.simulators.mss.server import MssSimulator

OUTCOMES: tuple[type[Event], ...] = (MssSent, MssDelivered, MssFailed)
TOPICS = ("report.composed", "report.withdrawn", "mss.sent", "mss.delivered", "mss.failed", "access.recorded")
DOMAIN = "medecins-fictifs.mssante.example"
CAMILLE = ("99700002001", f"camille.referent-fictif@{DOMAIN}")
ANTOINE = ("99700002019", f"antoine.modele-exemple@{DOMAIN}")
SECRETS = ("DUVAL-FICTIF", "CAMILLE ROSE", "268043818590119", "2680438185901", "IPP-1", "17/04/1968", "19680417")

Found = MssSent | MssDelivered | MssFailed


@dataclass
class Neighbours:
    """psc-auth, which gives tokens, and report, which gives documents, on one port."""

    documents: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    down: bool = False

    async def answer(self, request: Request) -> Response:
        self.calls.append(request.path)
        if self.down:
            return Response(status=503)
        if request.path == "/internal/tokens":
            return Response(body=json.dumps({"access_token": "token-1", "expires_in": 120}).encode())
        if request.headers.get("authorization") != "Bearer token-1":
            return Response(status=401)
        data = self.documents.get(request.path.removeprefix("/internal/documents/"))
        return Response(status=404) if data is None else Response(body=data)


@dataclass
class World:
    """The service, what surrounds it, and what it says on Kafka."""

    broker: EmbeddedBroker
    operator: MssSimulator
    directory: AnnuaireSimulator
    neighbours: Neighbours
    settings: MssSettings
    make_cda: Callable[..., bytes]
    pdf: bytes
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def service(self, **changes: Any) -> Service:
        return create_service(self.settings.model_copy(update=changes))

    def composed(
        self,
        number: int = 1,
        report: str = "a",
        *,
        to: tuple[str, ...] = (CAMILLE[0],),
        cda: dict[str, Any] | None = None,
        **changes: Any,
    ) -> ReportComposed:
        """An event about a document that report has."""
        document = self.make_cda(**(cda or {}))
        document_id = f"doc-{self.run}-{report}-{number}"
        self.neighbours.documents |= {f"{document_id}/cda": document, f"{document_id}/pdf": self.pdf}
        values: dict[str, Any] = {
            "report_id": f"report-{self.run}-{report}",
            "version": number,
            "patient_id": "patient-1",
            "site_id": "rives-a",
            "document": {
                "document_id": document_id,
                "cda_sha256": hashlib.sha256(document).hexdigest(),
                "cda_size": len(document),
                "pdf_sha256": hashlib.sha256(self.pdf).hexdigest(),
                "pdf_size": len(self.pdf),
                "unique_id": "1.2.250.1.999.7.1.1.77",
                "set_id": "1.2.250.1.999.7.1.1.70",
                "version_number": number,
                "level": "N1",
            },
            "ins_qualified": True,
            "audience": ["professionals"],
            "recipients": [
                {"recipient_id": f"r-{rpps}", "role": "copy" if index else "requester", "rpps": rpps}
                for index, rpps in enumerate(to)
            ],
            "author_rpps": "99700001003",
            "composed_at": datetime.now(UTC).isoformat(),
        }
        return ReportComposed.model_validate_json(json.dumps(values | changes))

    async def send(self, event: ReportComposed | ReportWithdrawn, *, event_id: str | None = None) -> str:
        sequence = event.version if isinstance(event, ReportComposed) else event.version + 100
        envelope = Envelope(
            id=event_id or uuid7(),
            type=event.type,
            source="/navette/report",
            time=datetime.now(UTC),
            subject=event.report_id,
            sequence=sequence,
            correlation_id=f"c-{self.run}",
            causation_id=None,
            traceparent=None,
        )
        headers, body = encode(envelope, event.model_dump_json().encode())
        async with AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all") as producer:
            key = event.report_id.encode()
            await producer.send_and_wait(event.topic(), value=body, key=key, headers=headers)
        return envelope.id

    async def told(self, event: ReportComposed, count: int, seconds: float = 30) -> list[Found]:
        """The first `count` outcomes of a report, by kind: topics keep no order among them."""
        found: list[Found] = []
        async with asyncio.timeout(seconds):
            async with AIOKafkaConsumer(
                *(one.topic() for one in OUTCOMES),
                bootstrap_servers=self.broker.bootstrap,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=20,
            ) as consumer:
                async for record in consumer:
                    kind = next(one for one in OUTCOMES if one.topic() == record.topic)
                    outcome: Any = kind.parse(record.value)
                    if outcome.report_id == event.report_id:
                        found.append(outcome)
                    if len(found) == count:
                        return sorted(found, key=lambda one: OUTCOMES.index(type(one)))
        raise AssertionError

    def everything(self) -> list[Any]:
        """Every mail anybody got."""
        return [mail for box in self.operator.store.as_json().values() for mail in box]

    def inbox(self, address: str) -> list[bytes]:
        return [mail.raw for mail in self.operator.store.mailbox(address).folders["INBOX"]]


@pytest.fixture
async def world(
    kafka_broker: EmbeddedBroker,
    mongo_server: MongoServer,
    mongo_database: str,
    pki: Pki,
    tmp_path: Path,
    sites_json: bytes,
    cda: Callable[..., bytes],
    pdf: bytes,
) -> AsyncIterator[World]:
    kafka_broker.create_topics([*TOPICS, *(f"{topic}.dlq" for topic in TOPICS)])
    neighbours = Neighbours()
    server = HttpServer(neighbours.answer)
    await server.start()
    key = ECKey.generate_key("P-256", {"kid": "mss-1", "use": "sig", "alg": "ES256"})
    (tmp_path / "service-key.json").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "sites.json").write_bytes(sites_json)
    (tmp_path / "annuaire-key").write_text("cle\n")
    async with (
        MssSimulator(SimulatorConfig(pki.directory, tmp_path / "mss")) as operator,
        AnnuaireSimulator(SimulatorConfig(pki.directory, tmp_path / "annuaire")) as directory,
    ):
        settings = MssSettings(
            environment="development",
            kafka_bootstrap=kafka_broker.bootstrap,
            kafka_idempotent=kafka_broker.idempotent,
            kafka_session_seconds=6.0 if kafka_broker.kind == "kafka" else 1.0,
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
            outbox_poll_seconds=0.1,
            delivery_poll_seconds=0.1,
            smtp_host="localhost",
            smtp_port=operator.ports()["smtp_port"],
            imap_host="localhost",
            imap_port=operator.ports()["imap_port"],
            operator_ca=pki.igc_ca,
            mss_cert=pki.cert("mss-client"),
            mss_key=pki.key("mss-client"),
            operator_timeout_seconds=5,
            annuaire_url=f"https://localhost:{directory.ports()['port']}/fhir/v2",
            annuaire_key_file=tmp_path / "annuaire-key",
            annuaire_ca=pki.igc_ca,
            product_reference="DEV000000",
            recipient_domains=("*.mssante.example",),
            patient_domain="patient.mssante.example",
            receipt_grace_seconds=0.5,
            receipt_poll_seconds=0.3,
            mss_first_retry_seconds=0.2,
            mss_query_seconds=0.2,
            mss_probe_seconds=0.3,
        )
        yield World(kafka_broker, operator, directory, neighbours, settings, cda, pdf)
    await server.stop()


def subject(raw: bytes) -> str:
    return str(message_from_bytes(raw, policy=default)["Subject"])


def failed(outcome: Found) -> tuple[str, str, str]:
    assert isinstance(outcome, MssFailed)
    return outcome.code, outcome.error_class.value, outcome.who_must_act.value


@pytest.mark.dsr("RIS.MSS.18")
@pytest.mark.dsr("RIS.MSS.19")
@pytest.mark.dsr("RIS.MSS.22")
async def test_requester_and_patient_each_get_one_mail_and_the_facts_are_told(world: World, matricule: str) -> None:
    event = world.composed(audience=["professionals", "patient"])
    async with running(world.service()):
        await world.send(event)
        told = await world.told(event, 4)
    kinds = {(type(one), one.recipient_id) for one in told}
    assert kinds == {(kind, who) for kind in (MssSent, MssDelivered) for who in (f"r-{CAMILLE[0]}", "patient")}
    for recipient in (f"r-{CAMILLE[0]}", "patient"):
        assert [type(one) for one in told if one.recipient_id == recipient] == [MssSent, MssDelivered]
    patient = f"{matricule}@patient.mssante.example"
    assert len(world.inbox(CAMILLE[1])) == len(world.inbox(patient)) == 1
    assert world.operator.refusals.entries == []
    assert world.directory.refusals.entries == []


async def test_the_same_fact_told_again_is_mailed_once(world: World) -> None:
    event = world.composed()
    async with running(world.service()):
        event_id = await world.send(event)
        await world.send(event, event_id=event_id)
        await world.send(event)
        last = world.composed(report="b")
        await world.send(last)
        await world.told(event, 2)
        await world.told(last, 2)
    assert len(world.inbox(CAMILLE[1])) == 2
    assert world.operator.store.duplicates == []


@pytest.mark.dsr("RIS.MSS.12")
async def test_an_edition_without_qualified_identity_goes_to_professionals_only(world: World) -> None:
    event = world.composed(cda={"ins": None}, ins_qualified=False)
    refused = world.composed(report="b", cda={"ins": None}, ins_qualified=False, audience=["patient"])
    async with running(world.service()):
        await world.send(event)
        await world.send(refused)
        await world.told(event, 2)
        (outcome,) = await world.told(refused, 1)
    assert failed(outcome) == ("ins-not-qualified", "permanent", "secretary")
    assert b"X-MSS-INS: N" in world.inbox(CAMILLE[1])[0]


@pytest.mark.parametrize(
    ("rpps", "code", "who"),
    [
        ("99700002092", "address-unknown", "secretary"),
        ("99700002100", "address-unknown", "secretary"),
        ("99700002084", "address-ambiguous", "secretary"),
        ("99700002134", "smtp-552", "secretary"),
        ("99700002142", "smtp-550", "secretary"),
        ("99700002167", "smtp-550", "secretary"),
    ],
)
async def test_a_recipient_who_cannot_receive_is_told_with_the_reason(
    world: World, rpps: str, code: str, who: str
) -> None:
    event = world.composed(to=(rpps,))
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert failed(outcome) == (code, "permanent", who)


async def test_a_mail_that_is_returned_afterwards_is_told(world: World) -> None:
    event = world.composed(to=("99700002159",))
    async with running(world.service()):
        await world.send(event)
        sent, returned = await world.told(event, 2)
    assert isinstance(sent, MssSent)
    assert failed(returned) == ("dsn-5.1.1", "permanent", "secretary")


@pytest.mark.parametrize(
    ("changes", "code", "error_class"),
    [
        ({"visibility": {"hidden_from_professionals": True}}, "hidden-from-professionals", "cancelled"),
        (
            {"visibility": {"hidden_from_patient": True}, "audience": ["patient"]},
            "hidden-from-patient",
            "cancelled",
        ),
        (
            {"visibility": {"hidden_from_representatives": True}, "audience": ["patient"]},
            "hidden-from-representatives",
            "cancelled",
        ),
        ({"site_id": "ailleurs"}, "site-unknown", "permanent"),
        ({"recipients": [{"recipient_id": "r-x", "role": "copy"}]}, "recipient-without-identifier", "permanent"),
    ],
)
async def test_what_must_not_leave_is_stopped_here_too(
    world: World, changes: dict[str, Any], code: str, error_class: str
) -> None:
    event = world.composed(**changes)
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert failed(outcome)[:2] == (code, error_class)
    assert world.everything() == []


async def test_an_address_outside_the_trusted_domains_gets_nothing(world: World) -> None:
    event = world.composed()
    async with running(world.service(recipient_domains=("*.mssante.fr",))):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert failed(outcome) == ("domain-not-trusted", "permanent", "administrator")
    assert world.everything() == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda document: document + b" ", "document-altered"),
        (lambda _: None, "document-not-found"),
    ],
)
async def test_a_document_that_is_not_the_promised_one_is_not_sent(
    world: World, spoil: Callable[[bytes], bytes | None], code: str
) -> None:
    event = world.composed()
    name = f"{event.document.document_id}/cda"
    spoiled = spoil(world.neighbours.documents.pop(name))
    if spoiled is not None:
        world.neighbours.documents[name] = spoiled
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert failed(outcome) == (code, "permanent", "operator")


async def test_a_report_service_or_directory_in_trouble_only_delays(world: World) -> None:
    event = world.composed()
    world.neighbours.down = True
    world.directory.faults.add({"kind": "http_error", "status": 503, "count": 1})
    service = world.service()
    async with running(service):
        await world.send(event)
        await until(lambda: world.neighbours.calls)
        world.neighbours.down = False
        told = await world.told(event, 2)
    assert [type(one) for one in told] == [MssSent, MssDelivered]
    assert len(world.inbox(CAMILLE[1])) == 1


async def test_an_answer_that_is_lost_leaves_one_mail_and_the_fact(world: World) -> None:
    world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    event = world.composed()
    async with running(world.service(receipt_grace_seconds=30.0)):
        await world.send(event)
        told = await world.told(event, 2)
    assert [type(one) for one in told] == [MssSent, MssDelivered]
    assert len(world.inbox(CAMILLE[1])) == 1


async def test_silence_after_the_grace_time_sends_the_same_bytes_again(world: World) -> None:
    """The operator took the mail and its notification was lost too: the receiver can tell the second copy."""
    world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    world.operator.settings = _without_notifications(world)
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        (sent,) = await world.told(event, 1)
    first, second = world.inbox(CAMILLE[1])
    assert first == second
    assert isinstance(sent, MssSent)
    assert sent.message_id.encode() in first
    assert len(world.operator.store.duplicates) == 1


def _without_notifications(world: World) -> Any:
    world.operator._notify = lambda *_: None  # type: ignore[method-assign]  # the double has no switch for it
    return world.operator.settings


async def test_an_outage_is_noticed_once_at_each_end_and_nothing_is_sent_twice(world: World) -> None:
    events = [world.composed(report=str(number)) for number in range(5)]
    world.operator.faults.add({"kind": "down", "seconds": 3})
    service = world.service()
    async with running(service):
        for event in events:
            await world.send(event)
        for event in events:
            assert [type(one) for one in await world.told(event, 2)] == [MssSent, MssDelivered]
        notices = await until(lambda: both_notices(service), 20)
    assert sorted(notice["kind"] for notice in notices) == ["outage_ended", "outage_started"]
    assert len(world.inbox(CAMILLE[1])) == 5
    assert world.operator.store.duplicates == []


async def both_notices(service: Service) -> list[dict[str, Any]] | None:
    found = [notice async for notice in service.database["notices"].find({"endpoint": "mss-operator"})]
    return found if len(found) >= 2 else None


@pytest.mark.dsr("RIS.MSS.15")
async def test_a_new_version_goes_to_all_who_had_the_old_one_and_says_so(world: World) -> None:
    first = world.composed(1, to=(CAMILLE[0],))
    second = world.composed(2, to=(ANTOINE[0],))
    async with running(world.service()):
        await world.send(first)
        await world.told(first, 2)
        await world.send(second)
        await world.told(second, 6)
    old, new = world.inbox(CAMILLE[1])
    assert "Annule et remplace" not in subject(old)
    assert "Annule et remplace" in subject(new)
    (alone,) = world.inbox(ANTOINE[1])
    assert "Annule et remplace" not in subject(alone)


async def test_a_version_that_waits_is_given_up_for_the_next_one(world: World) -> None:
    first, second = world.composed(1), world.composed(2)
    world.neighbours.down = True
    async with running(world.service()):
        await world.send(first)
        await until(lambda: world.neighbours.calls)
        await world.send(second)
        (gone,) = await world.told(first, 1)
        assert failed(gone) == ("superseded", "cancelled", "nobody")
        world.neighbours.down = False
        told = await world.told(second, 3)
    assert [(type(one), one.version) for one in told] == [(MssSent, 2), (MssDelivered, 2), (MssFailed, 1)]
    (mail,) = world.inbox(CAMILLE[1])
    assert "Annule et remplace" not in subject(mail)


async def test_a_withdrawn_report_does_not_leave_any_more(world: World) -> None:
    event = world.composed()
    withdrawn = ReportWithdrawn(
        report_id=event.report_id, version=1, withdrawn_by_rpps="99700001003", withdrawn_at=datetime.now(UTC)
    )
    world.neighbours.down = True
    async with running(world.service()):
        await world.send(event)
        await until(lambda: world.neighbours.calls)
        await world.send(withdrawn)
        (outcome,) = await world.told(event, 1)
    assert failed(outcome) == ("withdrawn", "cancelled", "nobody")
    assert world.everything() == []


async def test_what_matches_no_mail_of_ours_stays_visible(world: World) -> None:
    service = world.service()
    mailbox = "comptes-rendus@imagerie-des-rives.mssante.example"
    world.operator.store.deliver(mailbox, b"From: a@b.example\r\nSubject: question\r\n\r\nBonjour\r\n", "a@b.example")
    async with running(service):
        row = await until(lambda: service.database["receipts"].find_one({"mail": None}))
    assert (row["kind"], row["status"]) == ("other", None)


async def test_operators_and_services_may_see_where_mails_stand_and_nobody_else(world: World) -> None:
    event = world.composed(audience=["professionals", "patient"])
    service = world.service()
    key = ECKey.generate_key("P-256", {"kid": "test", "alg": "ES256"})

    async def keys() -> Any:
        return {"keys": [key.as_dict(private=False)]}

    def bearer(**claims: Any) -> dict[str, str]:
        now = int(time.time())
        base = {"iss": "navette-psc-auth", "aud": "mss", "sub": "u-1", "kind": "user", "iat": now, "exp": now + 100}
        base |= {"jti": uuid.uuid4().hex, "roles": [], "sites": []}
        return {"authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'kid': 'test'}, base | claims, key)}"}

    operator, robot = bearer(roles=["operator"]), bearer(kind="service", sub="report")
    async with running(service):
        await world.send(event)
        await world.told(event, 4)
        app = service.asgi
        app.state.token_verifier = TokenVerifier(audience="mss", jwks=JwksCache(keys), clock=SystemClock())
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mss") as http:
            mails, receipts = f"/mails/{event.report_id}", "/receipts/unmatched"
            shown = (await http.get(mails, headers=operator)).json()
            assert (await http.get(mails, headers=robot)).json() == shown
            assert (await http.get(receipts, headers=operator)).json() == []
            refused = [
                (await http.get(path, headers=headers)).status_code
                for path, headers in (
                    (mails, {}),
                    (mails, bearer(roles=["radiologist"])),
                    (mails, bearer(roles=["operator"], aud="dmp")),
                    (receipts, robot),
                    (f"{receipts}?limit=0", operator),
                )
            ]
    assert refused == [401, 403, 401, 403, 422]
    assert {(one["recipient_id"], one["state"]) for one in shown} == {
        (f"r-{CAMILLE[0]}", "delivered"),
        ("patient", "delivered"),
    }
    assert not any(secret in str(shown) for secret in SECRETS)


async def test_nothing_the_service_stores_logs_or_publishes_names_the_patient(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure(world.settings)
    both = {"audience": ["professionals", "patient"]}
    fine, lost, refused = (world.composed(report=name, **both) for name in ("a", "b", "c"))
    service = world.service(receipt_grace_seconds=30.0)
    published = ""
    async with running(service):
        await world.send(fine)
        published += str(await world.told(fine, 4))
        world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 2})
        await world.send(lost)
        published += str(await world.told(lost, 4))
        world.operator.faults.add({"target": "data", "kind": "5xx", "code": "554 5.6.0 non", "count": 2})
        await world.send(refused)
        published += str(await world.told(refused, 2))
        stored = await dump(service)
    captured = capfd.readouterr()
    for secret in SECRETS:
        assert secret not in captured.out + captured.err
        assert secret not in stored
        assert secret not in published


async def dump(service: Service) -> str:
    """Everything in the database of the service."""
    names = await service.database.list_collection_names()
    return "\n".join([str(document) for name in names async for document in service.database[name].find({})])
