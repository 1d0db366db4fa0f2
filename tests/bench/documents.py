"""Composition of a document, and the ITI-41 client against the same bytes by bare HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import ssl
import statistics
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from navette_chassis import SystemClock
from navette_contracts.events import Audience, IdentityStatus, Ins, Traits
from navette_dmp.adapters.dmp_soap import SoapDmp
from navette_dmp.adapters.seal_files import SealFiles
from navette_dmp.domain.outcomes import Action
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.submission import SubmissionRules, build_submission, check_document
from navette_dmp.domain.vihf import Software, VihfProfile
from navette_documents.sites import Site
from navette_report.adapters.ans_kit import AnsKit
from navette_report.adapters.workshop import Workshop
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.content import ReportContent
from navette_report.domain.document import DocumentModel
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.report import Signatory, Signature
from navette_report.settings import PATIENT_NOTICE
from navette_sandbox import group
from navette_sandbox.pki import Pki
from navette_sandbox.scenarios.catalogue import patients, reports, requesters, study_uid
from navette_sandbox.simulators.http import HttpServer, Request, Response

from tests.bench.table import Row, milliseconds

_SUCCESS = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">'
    "<s:Header><a:Action>urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse</a:Action>"
    "<a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body>"
    '<r:RegistryResponse xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
    'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/></s:Body></s:Envelope>'
)


def sample(number: int, level: str = "N1") -> DocumentModel:
    """One of the demo's reports as a document about to be written."""
    text = reports()[number % len(reports())]
    site = Site.model_validate({**group.SITES[0], "cda_level": level})
    person = patients()[text.patient]
    now = datetime.now(UTC)
    requester = requesters()[text.requester]
    content = ReportContent.model_validate(text.draft(requester, f"B{number}", study_uid(number + 1), now))
    traits = Traits(
        birth_name=person.birth_name,
        first_birth_given_name=person.first_given_name,
        birth_given_names=person.given_names,
        birth_date=person.birth_date,
        sex="F" if person.sex == "F" else "M",
        birth_place_code=person.birth_place_code,
    )
    ins = Ins(matricule=person.matricule, oid=person.oid)
    signatory = Signatory(rpps=group.RADIOLOGIST["rpps"], family_name="RADIOLOGUE-FICTIF", given_name="Alix")
    return DocumentModel(
        document_id=f"bench-{number}",
        unique_id=site.uids.deterministic("bench", str(number)),
        set_id=site.uids.deterministic("bench-set", str(number)),
        version_number=1,
        replaces_unique_id=None,
        content=content,
        patient=PatientIdentity(f"p{number}", site.site_id, 1, IdentityStatus.QUALIFIEE, (), traits, ins),
        site=site,
        ipp_oid=site.ipp_oid,
        signature=Signature(signatory=signatory, signed_at=now, choices=SignatureChoices()),
        announced_parties=(Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT),
        composed_at=now,
        zone=ZoneInfo("Europe/Paris"),
    )


def composition() -> list[Row]:
    """CPU time of PDF/A, CDA and checks, one document after the other; with the rules of the ANS if they are there."""
    rows = [
        _composition("composition (PDF/A + CDA N1, own checks), CPU p50", "≤ 40 ms", "N1", None),
        _composition("composition (PDF/A + CDA N3, own checks), CPU p50", "≤ 40 ms", "N3", None),
    ]
    folder = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "cda"
    if not folder.is_dir():
        return rows
    kit = AnsKit(folder.resolve())
    kit.warm()
    try:
        rows += [
            _composition(f"composition (PDF/A + CDA {level}) with the ANS kit, CPU p50", "≤ 120 ms", level, kit)
            for level in ("N1", "N3")
        ]
    finally:
        kit.close()
    return rows


def _composition(name: str, target: str, level: str, kit: AnsKit | None, count: int = 60) -> Row:
    workshop = Workshop(notice=PATIENT_NOTICE, production=True, threads=1, kit=kit)
    models = [sample(number, level) for number in range(count)]
    for model in models[:5]:
        workshop.make(model)
    times, sizes = [], []
    for model in models:
        # CPU of the whole process: the kit works in a thread of its own.
        started = time.process_time()
        made = workshop.make(model)
        times.append(time.process_time() - started)
        assert not made.findings, made.findings
        sizes.append(made.pdf)
    floor = _deflate_and_encode(sizes)
    measured = statistics.median(times)
    return Row(
        name,
        target,
        milliseconds(measured),
        f"{milliseconds(floor)} (deflate, SHA-256 and base64 of the same bytes)",
        f"{measured / floor:.0f}×",
    )


def _deflate_and_encode(documents: Sequence[bytes]) -> float:
    times = []
    for document in documents:
        started = time.process_time()
        base64.b64encode(zlib.compress(document))
        hashlib.sha256(document).digest()
        times.append(time.process_time() - started)
    return max(statistics.median(times), 1e-6)


@asynccontextmanager
async def _accepting_server(pki: Pki, seen: list[tuple[str, bytes]]) -> AsyncIterator[int]:
    """A TLS server that keeps what it gets and says Success: the cheapest DMP there can be."""

    async def accept(request: Request) -> Response:
        seen.append((request.headers["content-type"], request.body))
        message = re.search(rb"MessageID>([^<]+)<", request.body)
        body = _SUCCESS.format(message=message[1].decode() if message else "")
        return Response(200, body.encode(), "application/soap+xml; charset=utf-8")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.pair("dmp-server"))
    context.load_verify_locations(pki.igc_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = HttpServer(accept, port=0, host="127.0.0.1", context=context)
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


async def iti41(pki: Pki, count: int = 40) -> Row:
    """Build, sign and send, against sending the very bytes that resulted, over the same kind of connection."""
    workshop = Workshop(notice=PATIENT_NOTICE, production=True, threads=1)
    signer = SealFiles(pki.cert("dmp-sign"), pki.key("dmp-sign"), SystemClock()).current()
    rules = SubmissionRules(source_id="1.2.250.1.213.1.4.999990.100", production=True, max_document_bytes=5_000_000)
    profile = VihfProfile(Software("Navette", "0.1.0", "BENCH", "1.2.250.1.213.1.4.999990.101"))
    site = Site.model_validate(group.SITES[0])
    seen: list[tuple[str, bytes]] = []
    client_context = ssl.create_default_context(cafile=str(pki.igc_ca))
    client_context.load_cert_chain(*pki.pair("dmp-auth"))
    async with _accepting_server(pki, seen) as port, httpx.AsyncClient(verify=client_context) as http:
        url = f"https://localhost:{port}/si-dmp-server/v2/services"
        dmp = SoapDmp(http, base_url=url, profile=profile, clock=SystemClock())
        ours = []
        for number in range(count):
            made = workshop.make(sample(number))
            publication = _publication(made.cda, sample(number))
            document = check_document(made.cda, publication, site, rules, signer_structure=signer.structure)
            started = time.perf_counter()
            submission, files = await asyncio.to_thread(
                build_submission,
                document,
                site=site,
                rules=rules,
                signer=signer,
                now=datetime.now(UTC),
                replaced_entry=None,
            )
            verdict = await dmp.submit(submission, files, document.subject, signer)
            ours.append(time.perf_counter() - started)
            assert verdict.action is Action.STORED
        bare = []
        for content_type, body in list(seen[:count]):
            started = time.perf_counter()
            await http.post(f"{url}/repository", content=body, headers={"Content-Type": content_type})
            bare.append(time.perf_counter() - started)
    measured, floor = statistics.median(ours), statistics.median(bare)
    return Row(
        "ITI-41 client: VIHF and lot signed, p50",
        "≤ 2× bare HTTP",
        milliseconds(measured),
        f"{milliseconds(floor)} (same bytes by bare HTTPS)",
        f"{measured / floor:.1f}×",
    )


def _publication(cda: bytes, model: DocumentModel) -> Publication:
    return Publication(
        report_id="bench",
        version=1,
        site_id=model.site.site_id,
        document_id=model.document_id,
        unique_id=model.unique_id,
        sha256=hashlib.sha256(cda).hexdigest(),
        size=len(cda),
        replaces_unique_id=None,
        hidden_from_professionals=False,
        hidden_from_patient=False,
        hidden_from_representatives=False,
    )
