"""No health identity where it must not be: logs, spans, metrics, topics, dead letters, refusals (DESIGN §8).

Patients, reports and reasons are marked with words that occur nowhere else. They are written here or received from
another system, go to the national services or to the platform of a hospital, are corrected, withdrawn and refused in
many ways; then everything an operator could read is searched for the marks, however wrapped.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from navette_sandbox.scenarios.old_ris import OldReport
from navette_sandbox.scenarios.stage import Stage, line
from navette_sandbox.simulators.pfi import receipts
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
RECEIVED = Patient(
    "C03", "GENETTE-CANARI", "CORNALINE", "M", "1968-03-11", "44109", _matricule("1680344109773"), "1.2.250.1.213.1.4.8"
)
"""Known to another system only."""
LOCAL_ID = "IPPCANARI447788"
FINDINGS = "Calcification canarine du lobe améthyste, stable."
CONCLUSION = "Conclusion canarine : améthyste sans particularité."
CORRECTION = "Conclusion canarine corrigée : saphir du lobe moyen."
RECEIVED_FINDINGS = "Résultats canaris reçus : nodule de grenat inchangé."
REASON = "Motif canari de retrait : tourmaline intervertie."
SECRETS = {
    "birth name": PATIENT.birth_name,
    "received birth name": RECEIVED.birth_name,
    "received matricule": RECEIVED.matricule[:13],
    "received number": LOCAL_ID,
    "received findings": RECEIVED_FINDINGS,
    "correction": CORRECTION,
    "reason": REASON,
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


# --- reports of another system, and receipts of a platform ------------------------------------------------------------


async def _exchange(port: int, ca: Path, certificate: tuple[Path, Path], data: bytes, *, framed: bool = True) -> bytes:
    """Send bytes to an MLLP listener; its answer, empty for none."""
    tls = ssl.create_default_context(cafile=str(ca))
    tls.load_cert_chain(*certificate)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=tls)
    try:
        writer.write(b"\x0b" + data + b"\x1c\r" if framed else data)
        await writer.drain()
        if not framed:
            return b""
        return await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 30)
    except asyncio.IncompleteReadError as cut:
        return cut.partial
    finally:
        writer.close()


def _written_elsewhere(number: str, patient: Patient, accession: str) -> bytes:
    """The ORU of an old RIS, text marked."""
    report = OldReport(
        number=number,
        accession=accession,
        placer=f"D{accession}",
        study_uid=study_uid(950),
        exam_code=next(iter(group.INTAKE_SENDERS[0]["exams"])),
        examined_at=datetime.now(UTC) - timedelta(days=1),
        author_rpps=group.RADIOLOGIST["rpps"],
        author=("RADIOLOGUE-FICTIF", "Alix"),
    )
    text = _text(0)
    content = {**text.content, "findings": RECEIVED_FINDINGS, "conclusion": CONCLUSION}
    message = report.message(patient, requesters()[text.requester], content)
    local = f"{LOCAL_ID}^^^RIVES-B&990000028&M^PI~".encode()
    return message.replace(b"PID|1||", b"PID|1||" + local)


def _with_document(number: str, patient: Patient, form: str, document: bytes) -> bytes:
    """An ORU whose report is a document."""
    lines = _written_elsewhere(number, patient, f"A{number}").split(b"\r")
    kept = [line for line in lines if not line.startswith(b"OBX|")]
    data = base64.b64encode(document)
    kept.insert(-2, b"OBX|1|ED|CR^Compte rendu^LOCAL||" + form.encode() + b"^Base64^" + data + b"||||||F")
    return b"\r".join(kept)


def _as_mdm(message: bytes) -> bytes:
    """The same report as MDM^T02."""
    message = message.replace(b"ORU^R01^ORU_R01", b"MDM^T02^MDM_T02")
    lines = message.split(b"\r")
    lines.insert(1, b"EVN|T02|20261120103000")
    lines.insert(3, b"PV1|1|O")
    where = next(n for n, line in enumerate(lines) if line.startswith(b"OBX|"))
    lines.insert(where, b"TXA|1|CR|TX|20261120103000||||||||CANARI-DOC-1|||||LA")
    return b"\r".join(lines)


def _hostile_messages() -> list[bytes]:
    """Messages to be refused or kept waiting, marks in what a parser chokes on; in the last three in the header too."""
    good, name = _written_elsewhere("CANARI-X", RECEIVED, "ACANARIX"), RECEIVED.birth_name.encode()
    broken_cda = f"<ClinicalDocument><name>{RECEIVED.birth_name}</nom> {RECEIVED_FINDINGS}".encode()
    entity = f'<!DOCTYPE x [<!ENTITY a "{RECEIVED_FINDINGS}">]><x>&a;</x>'.encode()
    broken_rtf = b"{\\rtf1 " + RECEIVED_FINDINGS.encode() + b" {\\b " + name
    broken_base64 = _with_document("CANARI-B64", RECEIVED, "^application^pdf", b"x").replace(
        b"^eA==|", b"^" + name + b"|"
    )
    return [
        _with_document("CANARI-CDA", RECEIVED, "^text^XML", broken_cda),
        _with_document("CANARI-DTD", PATIENT, "^text^XML", entity),
        _with_document("CANARI-RTF", PATIENT, "^application^rtf", broken_rtf),
        _with_document("CANARI-PDF", PATIENT, "^application^pdf", RECEIVED_FINDINGS.encode()),
        broken_base64,
        good.replace(b"|CANARI-X|", b"||"),
        good.replace(b"ORU^R01^ORU_R01", b"ORU^W01^ORU_W01"),
        good.replace(b"CANARI-X", b"CANARI-X1").replace(b"|19680311|", b"|" + name + b"|"),
        good.replace(b"CANARI-X", b"CANARI-X2").replace(b"UNICODE UTF-8", b"8859/1") + b"\xff\xfe" + name,
        good.replace(b"CANARI-X", b"CANARI-X3").replace(b"\rOBR|", b"\rXBR|"),
        name + b"\r" + RECEIVED_FINDINGS.encode(),
        b"MSH|" + name,
        good.replace(b"|ANCIEN-RIS|RIVES-B|", b"|" + name + b"|" + LOCAL_ID.encode() + b"|"),
        good.replace(b"CANARI-X", name).replace(b"ORU^R01^ORU_R01", name + b"^" + LOCAL_ID.encode()),
    ]


async def _messages_of_another_system(stage: Stage) -> list[Evidence]:
    """Taken in, refused, kept waiting, replayed and set aside; what the answers say besides repeating headers."""
    layout = stage.sandbox.layout
    way = (
        layout.ports["report.intake"],
        layout.pki.internal_ca,
        layout.pki.pair(group.INTAKE_SENDERS[0]["certificate"]),
    )
    good = _written_elsewhere("CANARI-1", PATIENT, "ACANARI1")
    other = good.replace(RECEIVED_FINDINGS.encode(), CORRECTION.encode())
    waiting = _written_elsewhere("CANARI-2", RECEIVED, "ACANARI2")
    mdm = _as_mdm(_written_elsewhere("CANARI-3", PATIENT, "ACANARI3"))
    sent = [good, other, waiting, mdm, *_hostile_messages()]
    answers = [await _exchange(*way, one) for one in sent]
    assert [_code(one) for one in answers[:4]] == ["AA", "AE", "AA", "AA"]
    await _exchange(*way, b"\x0b" + waiting[:400], framed=False)
    await _exchange(*way, RECEIVED.birth_name.encode() * 3, framed=False)

    async def listed(*states: str) -> dict[str, Any]:
        answer = await stage.radiologist.get("report", "/intake/messages", state=list(states), limit=500)
        return {one["control_id"]: one for one in answer["messages"]}

    done = await poll(
        lambda: listed("integrated", "to_review", "waiting"),
        lambda found: {"CANARI-1", "CANARI-2", "CANARI-3", "CANARI-CDA"} <= found.keys(),
        seconds=60,
        what="the received messages are settled",
    )
    assert (done["CANARI-1"]["state"], done["CANARI-2"]["state"]) == ("integrated", "waiting"), done
    kept = done["CANARI-2"]["id"]
    page = await stage.secretary.page("report", f"/pages/intake/{kept}")
    assert RECEIVED.birth_name in page
    await stage.secretary.post(
        "report", f"/intake/messages/{kept}/replay", {"report_id": done["CANARI-1"]["report_id"]}
    )
    page = await stage.secretary.page("report", f"/pages/intake/{kept}")
    hidden = dict(re.findall(r'name="(csrf_token|seen)" value="([^"]+)"', page))
    form = {**hidden, "act": "set-aside", "confirmed": "true"}
    assert (await stage.secretary.submit("report", f"/pages/intake/{kept}", form)).status_code == 303
    status, _ = await stage.secretary.attempt("report", f"/intake/messages/{kept}/replay", {"report_id": FINDINGS})
    assert status == 409
    await stage.radiologist.sign(done["CANARI-1"]["report_id"])
    assert {_code(one) for one in answers} == {"AA", "AE", "AR"}
    # The last three answers repeat the marked header they answer to.
    return [Evidence("acknowledgement", str(n), one) for n, one in enumerate(answers[:-3])]


def _code(answer: bytes) -> str:
    return next(line for line in answer.split(b"\r") if line.startswith(b"MSA|")).split(b"|")[1].decode()


async def _submissions(stage: Stage) -> list[Evidence]:
    """Reports by REST: one that waits for its patient, and many that are refused."""
    body: dict[str, Any] = {
        "site_id": "site-b",
        "source": "portail",
        "document_id": "CANARI-REST",
        "patient": {
            "local_id": LOCAL_ID,
            "ins": {"matricule": RECEIVED.matricule, "oid": RECEIVED.oid},
            "birth_name": RECEIVED.birth_name,
            "first_birth_given_name": RECEIVED.given_names,
            "birth_date": RECEIVED.birth_date,
            "sex": "M",
        },
        "exam": {"accession_number": "ACANARI9"},
        "author_rpps": group.RADIOLOGIST["rpps"],
        "text": f"RESULTATS : {RECEIVED_FINDINGS}",
    }
    patient = body["patient"]
    attempts: list[tuple[int, dict[str, Any], str]] = [
        (202, body, "canari-key-1"),
        (422, {**body, "text": f"CONCLUSION : {CORRECTION}"}, "canari-key-1"),
        (422, {**body, "patient": {**patient, "sex": RECEIVED.birth_name}}, "canari-key-2"),
        (422, {**body, "patient": {**patient, "birth_date": RECEIVED_FINDINGS}}, "canari-key-3"),
        (
            422,
            {**body, "patient": {**patient, "ins": {"matricule": RECEIVED.matricule[:14], "oid": "1.2"}}},
            "canari-4",
        ),
        (422, {**body, "exam": {**body["exam"], "acts": [{"loinc_code": RECEIVED_FINDINGS}]}}, "canari-key-5"),
        (422, {**body, "author_rpps": RECEIVED.matricule}, "canari-key-6"),
        (422, {**body, "pdf": RECEIVED_FINDINGS}, "canari-key-7"),
        (403, {**body, "site_id": RECEIVED.birth_name}, "canari-key-8"),
        (422, {**body, "document_id": RECEIVED_FINDINGS}, RECEIVED.matricule),
    ]
    said = []
    for status, given, key in attempts:
        got, answer = await stage.secretary.attempt("report", "/intake/reports", given, key=key)
        assert got == status, (got, status, key)
        said.append(json.dumps(answer, ensure_ascii=False))
    return [Evidence("refusal", f"submission {number}", text.encode()) for number, text in enumerate(said)]


async def _by_platform(stage: Stage, patient_id: str) -> str:
    """A report of the site in the hospital: it leaves by the platform."""
    text = _text(3)
    requester = requesters()[text.requester]
    content = text.draft(requester, "CANARI3", study_uid(903), datetime.now(UTC))
    content["correspondents"][0]["mss_address"] = requester.mailbox
    report_id = await stage.radiologist.draft(patient_id, group.SITES[-1]["site_id"], content)
    await stage.radiologist.sign(report_id)
    return report_id


async def _receipts(stage: Stage) -> list[Evidence]:
    """Receipts of the platform that are not ours, broken, or speak of patients where codes belong."""
    layout = stage.sandbox.layout
    way = (layout.ports["report.receipts"], layout.pki.internal_ca, layout.pki.pair("pfi-client"))
    cited = (await stage.state("pfi", "messages"))[0]["control_id"]
    parties, now = (group.PFI_APPLICATION, group.PFI_FACILITY, "NAVETTE", "RIVES-C"), datetime.now(UTC)
    mailbox = f"{PATIENT.matricule}@{group.PATIENT_DOMAIN}"
    told = [
        receipts.Receipt("Z02", cited, positive=False, address=mailbox, code="550"),
        receipts.Receipt("Z02", cited, positive=False, address=mailbox, code=PATIENT.birth_name),
        receipts.Receipt("Z01", cited, positive=False, code=PATIENT.birth_name),
        receipts.Receipt("Z02", cited, address=f"{RECEIVED.matricule}@{group.PATIENT_DOMAIN}"),
        receipts.Receipt("Z03", PATIENT.birth_name, address=mailbox),
    ]
    sent = [receipts.zam(one, parties, f"ZCANARI{number}", now, "T") for number, one in enumerate(told)]
    sent.append(sent[0].replace(b"ZCANARI0", b"ZCANARI9").replace(b"OBX|1|CWE|", b"OBX|1|CWE|" + FINDINGS.encode()))
    sent.append(sent[0].replace(b"ZCANARI0", b"ZCANARI10").replace(b"OBX|", PATIENT.birth_name.encode() + b"|"))
    sent.append(f"{PATIENT.birth_name}\r{FINDINGS}".encode())
    answers = [await _exchange(*way, one) for one in sent]
    assert _code(answers[0]) == "AA"
    return [Evidence("acknowledgement", f"receipt {number}", one) for number, one in enumerate(answers)]


async def _acts(stage: Stage, replaced: str, withdrawn: str) -> list[Evidence]:
    """A correction and a withdrawal, refused first: marked text and a marked reason."""
    report = await stage.radiologist.get("report", f"/reports/{replaced}")
    version, content = report["version"], {**report["content"], "conclusion": CORRECTION}
    refused: list[tuple[int, str, dict[str, Any]]] = [
        (409, f"/reports/{replaced}/replace", {"built_on": version + 7, "content": content}),
        (422, f"/reports/{replaced}/replace", {"built_on": version, "content": {**content, "title": CORRECTION * 9}}),
        (422, f"/reports/{replaced}/replace", {"built_on": CORRECTION, "content": content}),
        (422, f"/reports/{withdrawn}/withdraw", {"reason": REASON * 9}),
        (422, f"/reports/{withdrawn}/withdraw", {"reason": {"text": REASON}}),
        (409, f"/reports/{withdrawn}/announce", {"reason": REASON}),
    ]
    said = []
    for status, path, body in refused:
        got, answer = await stage.radiologist.attempt("report", path, body)
        assert got == status, (got, path)
        said.append(json.dumps(answer, ensure_ascii=False))
    await stage.radiologist.replace(replaced, version, content)
    await stage.radiologist.withdraw(withdrawn, REASON)
    return [Evidence("refusal", f"act {number}", text.encode()) for number, text in enumerate(said)]


# --- unreadable events ------------------------------------------------------------------------------------------------

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


def _integrated(journey: dict[str, Any]) -> bool:
    return all(one["state"] in {"delivered", "read"} for one in journey["lines"])


def _corrected(journey: dict[str, Any]) -> bool:
    return journey["report"]["version"] == 2 and line(journey, "platform").get("state") == "delivered"


def _taken_back(journey: dict[str, Any]) -> bool:
    told = [one for one in journey["lines"] if one["kind"] == "withdrawal"]
    return bool(told) and all(one["state"] in {"sent", "delivered"} for one in told)


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
        carried = await _by_platform(stage, first)
        refusals = await _refusals(stage, first)
        exchanged = await _messages_of_another_system(stage) + await _submissions(stage)
        await _poison(sandbox.broker.bootstrap)

        def concluded(journeys: dict[str, Any]) -> bool:
            ended = {"sent", "delivered", "refused", "failed"}
            all_ended = all(one["state"] in ended for key in (sent[0], sent[2]) for one in journeys[key]["lines"])
            return all_ended and line(journeys[sent[1]], "mss", "requester").get("state") in ended

        await poll(radiologist.journeys, concluded, seconds=180, what="the marked reports arrived")
        await poll(lambda: radiologist.journey(carried), _integrated, seconds=60, what="the platform integrated it")
        exchanged += await _receipts(stage) + await _acts(stage, carried, sent[0])
        await poll(lambda: radiologist.journey(carried), _corrected, seconds=60, what="the platform has the correction")
        await poll(lambda: radiologist.journey(sent[0]), _taken_back, seconds=60, what="the withdrawal was carried out")
        buried = await poll(
            lambda: _messages(sandbox.broker.bootstrap),
            lambda found: sum(one.topic.endswith(".dlq") for one in found) >= 8,
            seconds=180,
            what="the poison was put aside",
            every=1.0,
        )
        evidence = [Evidence("refusal", str(number), text.encode()) for number, text in enumerate(refusals)]
        return evidence + exchanged + _broker_evidence(buried) + await _metrics(sandbox)


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
    assert kinds >= {"log", "telemetry", "metrics", "message", "header", "key", "refusal", "acknowledgement"}
    telemetry = {one.source for one in evidence if one.kind == "telemetry"}
    assert any("traces" in source for source in telemetry)
    logged = {one.source for one in evidence if one.kind == "log" and one.data}
    assert logged >= {f"{name}.log" for name in SERVICES}
    topics = {one.source.split(" ")[0] for one in evidence if one.kind == "header"}
    assert topics >= {
        "patient.identified",
        "report.signed",
        "report.composed",
        "dmp.published",
        "mss.sent",
        "report.withdrawn",
    }
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
