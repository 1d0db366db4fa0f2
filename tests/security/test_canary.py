"""No health identity where it must not be: logs, spans, metrics, topics, dead letters, refusals (DESIGN §8).

A patient, a requester and a report are marked with words that occur nowhere else. They go the whole way, are
refused in many ways, and then everything an operator could read is searched for the marks, however wrapped.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from navette_contracts.catalogue import TOPICS
from navette_sandbox import group
from navette_sandbox.layout import SERVICES, make_layout
from navette_sandbox.pki import PROBE
from navette_sandbox.scenarios.catalogue import Patient, ReportText, reports, requesters, study_uid
from navette_sandbox.scenarios.client import PlatformError, Radiologist, Secretary, poll
from navette_sandbox.scenarios.stage import Stage, line
from navette_sandbox.supervisor import PARTITIONS, Sandbox
from navette_sandbox.verify.leaks import Detector, Leak

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]


def _matricule(number: str) -> str:
    return f"{number}{97 - int(number) % 97:02d}"


PATIENT = Patient(
    "C01", "ZIBELINE-CANARI", "OPALINE", "F", "1973-05-19", "44109", _matricule("2730544109771"), "1.2.250.1.213.1.4.8"
)
LATE = Patient(
    "C02", "MARTRE-CANARI", "TURQUOISE", "F", "1979-08-02", "44109", _matricule("2790844109772"), "1.2.250.1.213.1.4.8"
)
FINDINGS = "Calcification canarine du lobe améthyste, stable."
CONCLUSION = "Conclusion canarine : améthyste sans particularité."
SECRETS = {
    "birth name": PATIENT.birth_name,
    "other birth name": LATE.birth_name,
    "given name": PATIENT.given_names + " " + PATIENT.birth_name,
    "matricule": PATIENT.matricule[:13],
    "other matricule": LATE.matricule[:13],
    "findings": FINDINGS,
    "conclusion": CONCLUSION,
}
DETECTOR = Detector(SECRETS)


@dataclass(frozen=True)
class Evidence:
    """Something an operator, a collector or a broker could read."""

    kind: str
    source: str
    data: bytes


def find_leaks(evidence: list[Evidence]) -> list[Leak]:
    """Every mark found in what was collected."""
    return [leak for one in evidence for leak in DETECTOR.scan_bytes(one.data, f"{one.kind} {one.source}")]


class Collector:
    """An OpenTelemetry collector that keeps every byte it is sent."""

    def __init__(self) -> None:
        received: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                received.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _people(folder: Path) -> Path:
    rows = [
        {
            "id": one.key,
            "birth_name": one.birth_name,
            "given_names": one.given_names,
            "sex": one.sex,
            "birth_date": one.birth_date,
            "birth_place_code": one.birth_place_code,
            "nir": one.matricule[:13],
            "key": one.matricule[13:],
            "oid": one.oid,
        }
        for one in (PATIENT, LATE)
    ]
    path = folder / "canaries.json"
    path.write_text(json.dumps({"people": rows}), "utf-8")
    return path


def _text(number: int) -> ReportText:
    text = reports()[number]
    return replace(text, content={**text.content, "findings": FINDINGS, "conclusion": CONCLUSION})


async def _draft_and_sign(stage: Stage, patient_id: str, number: int) -> str:
    text = _text(number)
    content = text.draft(requesters()[text.requester], f"CANARI{number}", study_uid(900 + number), datetime.now(UTC))
    report_id = await stage.radiologist.draft(patient_id, "site-a", content)
    await stage.radiologist.sign(report_id)
    return report_id


async def _refusals(stage: Stage, patient_id: str) -> list[str]:
    """Send what must be refused, with marks inside; returns the texts of the refusals."""
    good = {
        "site_id": "site-a",
        "birth_name": PATIENT.birth_name,
        "first_birth_given_name": PATIENT.given_names,
        "birth_date": PATIENT.birth_date,
        "sex": "F",
        "birth_place_code": "44109",
    }
    attempts: list[tuple[str, str, Any]] = [
        ("ins", "/patients", {**good, "birth_date": f"{PATIENT.birth_name} 1973"}),
        ("ins", "/patients", {**good, "matricule": PATIENT.matricule}),
        ("ins", "/patients", {**good, "sex": PATIENT.birth_name}),
        ("ins", f"/patients/{PATIENT.matricule}/identity-checks", {"document_kind": "CN"}),
        ("ins", f"/patients/{patient_id}/identity-checks", {"document_kind": PATIENT.birth_name}),
        ("report", "/reports", {"patient_id": PATIENT.birth_name, "site_id": "site-a", "content": FINDINGS}),
        ("report", "/reports", {"patient_id": patient_id, "site_id": FINDINGS, "content": {"title": CONCLUSION}}),
        ("report", f"/reports/{urllib.parse.quote(PATIENT.birth_name)}/sign", {"why": CONCLUSION}),
        ("dmp", f"/{urllib.parse.quote(PATIENT.birth_name)}", {}),
    ]
    texts = []
    for service, path, body in attempts:
        with pytest.raises(PlatformError) as refused:
            await stage.secretary.post(service, path, body)
        texts.append(str(refused.value).partition("answered")[2])
    return texts


POISON_HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_type", PATIENT.birth_name.encode()),
    ("ce_id", b"0192f0c1-7c1b-7a53-8b1d-0a6c8e0f1a01"),
]


async def _poison(bootstrap: str) -> None:
    """Messages no consumer can use, with marks in the value and in a header."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    try:
        await producer.start()
        values = [PATIENT.birth_name.encode(), json.dumps({"report_id": FINDINGS, "version": CONCLUSION}).encode()]
        for topic in ("report.signed", "report.composed", "patient.identified", "dmp.published"):
            for value in values:
                await producer.send_and_wait(topic, value, key=b"canary", headers=POISON_HEADERS)
    finally:
        await producer.stop()


@dataclass(frozen=True)
class Message:
    """One record of the broker."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def _messages(bootstrap: str) -> list[Message]:
    names = [name for topic in TOPICS for name in (topic.name, f"{topic.name}.dlq")]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    found: list[Message] = []
    try:
        await consumer.start()
        partitions = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [Message(one.topic, one.key or b"", one.value or b"", tuple(one.headers)) for one in records]
    finally:
        await consumer.stop()
    return found


def _broker_evidence(messages: list[Message]) -> list[Evidence]:
    """Keys, headers and values; of the dead letters only what the platform added to the poison planted here."""
    evidence = []
    for number, one in enumerate(messages):
        source = f"{one.topic} #{number}"
        if one.key == b"canary" and not one.topic.endswith(".dlq"):
            continue  # our own poison
        evidence.append(Evidence("key", source, one.key))
        evidence += [Evidence("header", f"{source} {name}", value) for name, value in _added(one)]
        if one.key != b"canary":
            evidence.append(Evidence("message", source, one.value))
    return evidence


def _added(one: Message) -> list[tuple[str, bytes]]:
    planted = POISON_HEADERS if one.key == b"canary" else []
    return [header for header in one.headers if header not in planted]


async def _metrics(sandbox: Sandbox) -> list[Evidence]:
    layout = sandbox.layout
    context = ssl.create_default_context(cafile=str(layout.pki.internal_ca))
    context.load_cert_chain(*layout.pki.pair(PROBE))
    evidence = []
    async with httpx.AsyncClient(verify=context) as http:
        for name in SERVICES:
            answer = await http.get(f"{layout.url(name)}/metrics")
            assert answer.status_code == 200
            evidence.append(Evidence("metrics", name, answer.content))
    return evidence


async def _play(sandbox: Sandbox) -> list[Evidence]:
    """Send the marked report the whole way and through many refusals; returns what could be read meanwhile."""
    async with (
        Secretary(sandbox.layout, group.SECRETARY["rpps"]) as secretary,
        Radiologist(sandbox.layout, group.RADIOLOGIST["rpps"]) as radiologist,
    ):
        stage = Stage(sandbox, secretary, radiologist, say=lambda _line: None)
        first = await secretary.register(PATIENT, "site-a")
        second = await secretary.register(LATE, "site-a")
        await stage.fault("insi", kind="soap_fault", code="desir_1020", count=1)
        await secretary.qualify(first)
        await stage.fault("dmp", kind="lost_answer", target="provide", count=1)
        sent = [await _draft_and_sign(stage, first, 0), await _draft_and_sign(stage, second, 1)]
        await stage.fault("dmp", kind="registry_error", code="XDSRegistryMetadataError", target="provide", count=1)
        sent.append(await _draft_and_sign(stage, first, 2))
        refusals = await _refusals(stage, first)
        await _poison(sandbox.broker.bootstrap)

        def concluded(journeys: dict[str, Any]) -> bool:
            ended = {"sent", "delivered", "refused", "failed"}
            all_ended = all(one["state"] in ended for key in (sent[0], sent[2]) for one in journeys[key]["lines"])
            return all_ended and line(journeys[sent[1]], "mss", "requester").get("state") in ended

        await poll(radiologist.journeys, concluded, seconds=180, what="the marked reports arrived")
        buried = await poll(
            lambda: _messages(sandbox.broker.bootstrap),
            lambda found: sum(one.topic.endswith(".dlq") for one in found) >= 8,
            seconds=180,
            what="the poison was put aside",
            every=1.0,
        )
        evidence = [Evidence("refusal", str(number), text.encode()) for number, text in enumerate(refusals)]
        return evidence + _broker_evidence(buried) + await _metrics(sandbox)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Evidence]]:
    """Everything that could be read while marked reports went through the platform."""
    folder = tmp_path_factory.mktemp("canary")
    collector = Collector()
    try:
        with Sandbox(
            make_layout("canary", folder),
            broker="tansu",
            data={"insi": _people(folder)},
            variables={"NAVETTE_OTLP_ENDPOINT": collector.url},
        ) as sandbox:
            found = asyncio.run(_play(sandbox))
            logs = [sandbox.children[name].log for name in (*SERVICES, "broker", "database")]
        # Stopped: what was buffered has been flushed.
        found += [Evidence("log", path.name, path.read_bytes()) for path in logs if path.exists()]
        found += [Evidence("telemetry", path, body) for path, body in collector.received]
        yield found
    finally:
        collector.close()


def test_no_mark_is_found_in_anything_an_operator_can_read(evidence: list[Evidence]) -> None:
    leaks = find_leaks(evidence)
    assert not leaks, "\n".join(sorted({str(leak) for leak in leaks}))


def test_there_was_something_to_search(evidence: list[Evidence]) -> None:
    kinds = {one.kind for one in evidence if one.data}
    assert kinds >= {"log", "telemetry", "metrics", "message", "header", "key", "refusal"}
    telemetry = {one.source for one in evidence if one.kind == "telemetry"}
    assert any("traces" in source for source in telemetry)
    logged = {one.source for one in evidence if one.kind == "log" and one.data}
    assert logged >= {f"{name}.log" for name in SERVICES}
    topics = {one.source.split(" ")[0] for one in evidence if one.kind == "header"}
    assert topics >= {"patient.identified", "report.signed", "report.composed", "dmp.published", "mss.sent"}
    assert any(topic.endswith(".dlq") for topic in topics)


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64": lambda text: base64.b64encode(text.encode()),
    "utf-16": lambda text: text.encode("utf-16"),
    "percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    "json escapes": lambda text: json.dumps("é" + text).encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", ["birth name", "matricule", "findings"])
@pytest.mark.parametrize("kind", ["log", "telemetry", "header", "message"])
def test_the_detector_finds_a_planted_leak(form: str, secret: str, kind: str) -> None:
    planted = FORMS[form](SECRETS[secret])
    around = planted if form == "gzip" else b'{"event": "x", "detail": "' + planted + b'"}'
    leaks = find_leaks([Evidence(kind, "planted", around)])
    assert secret in {leak.name for leak in leaks}
    assert all(SECRETS[secret] not in str(leak) for leak in leaks)
