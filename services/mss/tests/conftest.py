"""A fictitious report and its site, the official examples, and the service among its neighbours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from joserfc.jwk import ECKey
from navette_chassis import Service, uuid7
from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import Event, MssDelivered, MssFailed, MssSent, ReportComposed, ReportWithdrawn
from navette_documents.sites import Site, load_sites
from navette_mss.app import create_service
from navette_mss.settings import MssSettings
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.annuaire.server import AnnuaireSimulator
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.http import HttpServer, Request, Response
from navette_sandbox.simulators.mss.server import MssSimulator
from navette_sandbox.testing import broker_for_tests
from pymongo import AsyncMongoClient

MATRICULE = "268043818590119"
"""Of a fictitious person; the key is right."""
PDF = b"%PDF-1.4\n% compte rendu fictif\n%%EOF\n"

SITE = """[{"site_id": "rives-a", "name": "Centre d'imagerie des Rives", "finess": "990000010",
"finess_legal": "990000002", "legal_name": "GROUPE IMAGERIE DES RIVES", "oid_root": "1.2.250.1.999.7.1",
"address": {"street": "1 quai Fictif", "postal_code": "99000", "city": "RIVES"}, "phone": "+33199000000",
"sector": "SA08", "facility_type": "SA08", "practice_setting": "AMBULATOIRE",
"mss_mailbox": "comptes-rendus@imagerie-des-rives.mssante.example", "mss_display_name": "Centre d'imagerie des Rives",
"reply_to": "secretariat@imagerie-des-rives.mssante.example", "ipp_oid": "1.2.250.1.999.7.2"}]"""


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of its own: this service handles events that the tests of other services promise too."""
    yield from broker_for_tests(tmp_path_factory.mktemp("broker"))


def _professional(tag: str, entity: str) -> str:
    return f"""<{tag}><time value="20261122101500+0100"/><{entity}>
<id root="1.2.250.1.71.4.2.1" extension="899700001003"/>
<code code="G15_10/SM44" displayName="Médecin - Radio-diagnostic" codeSystem="1.2.250.1.213.1.1.4.5"/>
<assignedPerson><name><family>RADIOLOGUE-FICTIF</family><given>Alix</given></name></assignedPerson>
<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1990000010"/><name>Centre des Rives</name>
<standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire" codeSystem="1.2.250.1.213.1.1.4.9"/>
</representedOrganization></{entity}></{tag}>"""


def make_cda(
    *,
    ins: str | None = MATRICULE,
    oid: str = "1.2.250.1.213.1.4.8",
    birth_name: str = "DUVAL-FICTIF",
    first_name: str | None = "CAMILLE",
    label: str = "CR d'imagerie médicale",
    birth_date: str = "19680417",
    title: str = "Compte rendu d'IRM",
) -> bytes:
    """A CDA with the header parts that metadata and mails need."""
    matricule = f'<id root="{oid}" extension="{ins}"/>' if ins else ""
    first = f'<given qualifier="BR">{first_name}</given>' if first_name else ""
    author = _professional("author", "assignedAuthor")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="1.2.250.1.213.1.1.1.1"/><id root="1.2.250.1.999.7.1.1.77"/>
<code code="18748-4" displayName="{label}" codeSystem="2.16.840.1.113883.6.1"/><title>{title}</title>
<effectiveTime value="20261122101500+0100"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<setId root="1.2.250.1.999.7.1.1.70"/><versionNumber value="1"/>
<recordTarget><patientRole>{matricule}<id root="1.2.250.1.999.7.2" extension="IPP-1"/>
<patient><name><given>CAMILLE ROSE</given>{first}<family qualifier="BR">{birth_name}</family></name>
<administrativeGenderCode code="F" displayName="Féminin" codeSystem="2.16.840.1.113883.5.1"/>
<birthTime value="{birth_date}"/><birthplace><place><addr><county>38185</county></addr></place></birthplace>
</patient></patientRole></recordTarget>
{author}
{_professional("legalAuthenticator", "assignedEntity")}
<documentationOf><serviceEvent><id root="1.2.250.1.999.7.3.1"/>
<code code="36813-4" displayName="IRM" codeSystem="2.16.840.1.113883.6.1"/>
<effectiveTime><low value="20261121093000+0100"/></effectiveTime>
{_professional("performer", "assignedEntity")}</serviceEvent></documentationOf>
<componentOf><encompassingEncounter><code code="AMB" codeSystem="2.16.840.1.113883.5.4"/><location>
<healthCareFacility><code code="SA08" displayName="Cabinet de groupe" codeSystem="1.2.250.1.71.4.2.4"/>
</healthCareFacility></location></encompassingEncounter></componentOf>
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{base64.b64encode(PDF).decode()}\
</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


@pytest.fixture
def cda() -> Callable[..., bytes]:
    """Builder of sample documents."""
    return make_cda


@pytest.fixture
def pdf() -> bytes:
    return PDF


@pytest.fixture
def matricule() -> str:
    return MATRICULE


@pytest.fixture
def sites_json() -> bytes:
    return SITE.encode()


@pytest.fixture
def site() -> Site:
    return load_sites(SITE.encode())["rives-a"]


@pytest.fixture(scope="session")
def conformance() -> Path:
    """Folder of the official data."""
    default = Path(__file__).resolve().parents[3].parent / "shared" / "conformance"
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default))
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path


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

    CAMILLE: ClassVar = CAMILLE
    ANTOINE: ClassVar = ANTOINE
    SECRETS: ClassVar = SECRETS

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

    async def told(self, event: ReportComposed, count: int, seconds: float = 60) -> list[Found]:
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

    @staticmethod
    def subject(raw: bytes) -> str:
        """Decoded subject of a mail."""
        return str(message_from_bytes(raw, policy=default)["Subject"])

    @staticmethod
    def failed(outcome: Found) -> tuple[str, str, str]:
        """Code, class and who must act of a failure."""
        assert isinstance(outcome, MssFailed)
        return outcome.code, outcome.error_class.value, outcome.who_must_act.value

    def process(self, output: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """The service as an operating-system process, with the settings of the test."""
        values = self.settings.model_dump(mode="json", exclude_none=True, exclude={"mongo_uri"})
        variables = {f"NAVETTE_{name.upper()}": _text(value) for name, value in values.items()}
        variables["NAVETTE_MONGO_URI"] = self.settings.mongo_connection()
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "-m", "navette_mss", "serve"]
        return subprocess.Popen(command, env=passed_on | variables, stdout=output, stderr=output, text=True)

    async def dump(self) -> str:
        """Everything in the database of the service."""
        async with AsyncMongoClient[dict[str, Any]](self.settings.mongo_connection()) as client:
            database = client[self.settings.mongo_database]
            names = await database.list_collection_names()
            return "\n".join([str(document) for name in names async for document in database[name].find({})])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


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
            outbox_poll_seconds=0.1,
            delivery_poll_seconds=0.1,
            delivery_lease_seconds=5.0,
            smtp_host="localhost",
            smtp_port=operator.ports()["smtp_port"],
            imap_host="localhost",
            imap_port=operator.ports()["imap_port"],
            operator_ca=pki.igc_ca,
            mss_cert=pki.cert("mss-client"),
            mss_key=pki.key("mss-client"),
            operator_timeout_seconds=30,
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
