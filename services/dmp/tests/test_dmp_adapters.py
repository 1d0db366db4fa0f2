"""The adapters alone: what goes over the wire, certificates that change, a document store that fails."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import xmlsec
from lxml import etree
from navette_chassis import ManualClock, SystemClock
from navette_chassis.testing import until
from navette_chassis.tls import ReloadingTransport, TlsFiles
from navette_dmp.adapters import dmp_soap
from navette_dmp.adapters.dmp_soap import SoapDmp
from navette_dmp.adapters.report_documents import ReportDocuments
from navette_dmp.adapters.seal_files import SealFiles, check_same_structure
from navette_dmp.domain import names
from navette_dmp.domain.mtom import unpack
from navette_dmp.domain.outcomes import Action
from navette_dmp.domain.signer import Signer, check_signer
from navette_dmp.domain.submission import Document, SubmissionRules, build_submission
from navette_dmp.domain.vihf import VihfProfile
from navette_dmp.use_cases.ports import DocumentMissing, DocumentsUnavailable, QueryFailed
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_sandbox.pki import Pki, create_pki
from navette_sandbox.simulators.common import server_context
from navette_sandbox.simulators.http import HttpServer, Request, Response

BASE = "/si-dmp-server/v2/services"
SUCCESS = (
    f'<s:Envelope xmlns:s="{names.SOAP}"><s:Body><r:RegistryResponse xmlns:r="{names.RS}" '
    'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/></s:Body></s:Envelope>'
).encode()


class Peer:
    """A TLS server that keeps what it was sent and answers what a test says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.response = Response(body=SUCCESS, content_type="application/soap+xml")

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response


@pytest.fixture
async def peer(pki: Pki) -> AsyncIterator[tuple[Peer, str]]:
    peer = Peer()
    server = HttpServer(peer.answer, context=server_context(pki.directory, "dmp-server"))
    await server.start()
    yield peer, f"https://localhost:{server.port}{BASE}"
    await server.stop()


Submit = Callable[[], Awaitable[Any]]


@pytest.fixture
async def soap(peer: tuple[Peer, str], pki: Pki, profile: VihfProfile) -> AsyncIterator[SoapDmp]:
    tls = TlsFiles("dmp-auth", pki.igc_ca, pki.cert("dmp-auth"), pki.key("dmp-auth"))
    async with httpx.AsyncClient(transport=ReloadingTransport(tls), timeout=60, trust_env=False) as client:
        yield SoapDmp(client, base_url=peer[1], profile=profile, clock=SystemClock())


@pytest.fixture
def submit(soap: SoapDmp, document: Document, site: Site, rules: SubmissionRules, signer: Signer) -> Submit:
    async def call() -> Any:
        submission, files = build_submission(
            document, site=site, rules=rules, signer=signer, now=datetime.now(UTC), replaced_entry=None
        )
        return await soap.submit(submission, files, document.subject, signer)

    return call


# --- the wire


async def test_a_submission_is_one_mtom_message_to_the_repository(
    submit: Submit, peer: tuple[Peer, str], document: Document
) -> None:
    assert (await submit()).action is Action.STORED
    (request,) = peer[0].requests
    assert (request.method, request.path) == ("POST", f"{BASE}/repository")
    assert request.headers["content-length"] == str(len(request.body))
    assert "transfer-encoding" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
    content_type = request.headers["content-type"]
    assert content_type.startswith("multipart/related; boundary=")
    assert f'action="{names.PROVIDE_AND_REGISTER}"' in content_type
    _, parts = unpack(content_type, request.body)
    assert list(parts) == ["root@navette", "Document01@navette", "Signature01@navette"]
    assert parts["Document01@navette"] == document.cda


async def test_the_client_shows_the_authentication_certificate_and_signs_with_the_seal(
    submit: Submit, peer: tuple[Peer, str], pki: Pki
) -> None:
    await submit()
    (request,) = peer[0].requests
    assert request.peer is not None
    assert "CN=NAVETTE-DMP-AUTH" in request.peer.subject.rfc4514_string()
    root = etree.fromstring(unpack(request.headers["content-type"], request.body)[0])
    assertion = root.find(f".//{{{names.SAML}}}Assertion")
    assert assertion is not None
    assert "CN=NAVETTE-DMP-CACHET" in (assertion.findtext(f"{{{names.SAML}}}Issuer") or "")
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(pki.cert("dmp-sign")), xmlsec.constants.KeyDataFormatCertPem)
    context.verify(xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature))


async def test_each_message_has_its_own_addressing_and_its_own_assertion(
    submit: Submit, peer: tuple[Peer, str]
) -> None:
    await submit()
    await submit()
    headers = []
    for request in peer[0].requests:
        root = etree.fromstring(unpack(request.headers["content-type"], request.body)[0])
        header = root.find(f"{{{names.SOAP}}}Header")
        assert header is not None
        headers.append(
            {etree.QName(e).localname: "".join(str(text) for text in e.itertext()) for e in header}
            | {"ID": str(header.find(f".//{{{names.SAML}}}Assertion").get("ID"))}  # type: ignore[union-attr]
        )
    first, second = headers
    assert first["MessageID"].startswith("urn:uuid:")
    assert first["Action"] == names.PROVIDE_AND_REGISTER
    assert first["ReplyTo"] == names.WSA_ANONYMOUS
    assert first["To"] == f"{peer[1]}/repository"
    assert {first["MessageID"], first["ID"]}.isdisjoint({second["MessageID"], second["ID"]})


async def test_a_query_goes_to_the_registry_without_attachments(
    soap: SoapDmp, document: Document, signer: Signer, peer: tuple[Peer, str]
) -> None:
    assert await soap.entries_of("1.2.3", document.subject, signer) == ()
    (request,) = peer[0].requests
    assert request.path == f"{BASE}/registry"
    assert request.headers["content-type"] == (
        f'application/soap+xml; charset=UTF-8; action="{names.REGISTRY_STORED_QUERY}"'
    )


async def test_a_query_that_is_not_answered_is_never_an_empty_answer(
    soap: SoapDmp, document: Document, signer: Signer, peer: tuple[Peer, str]
) -> None:
    for response in (Response(status=502, body=b"<html/>"), Response(body=b""), Response(cut=True)):
        peer[0].response = response
        with pytest.raises(QueryFailed):
            await soap.entries_of("1.2.3", document.subject, signer)


async def test_an_answer_without_end_is_cut_short(
    submit: Submit, peer: tuple[Peer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dmp_soap, "MAX_ANSWER_BYTES", 1000)
    peer[0].response = Response(body=b" " * 2000 + SUCCESS, content_type="application/soap+xml")
    verdict = await submit()
    assert (verdict.action, verdict.code) == (Action.UNKNOWN, "unreadable-answer")


# --- the seal


@pytest.fixture
def seal(pki: Pki, tmp_path: Path) -> tuple[Path, Path]:
    for kind, source in (("pem", pki.cert("dmp-sign")), ("key", pki.key("dmp-sign"))):
        shutil.copy(source, tmp_path / f"seal.{kind}")
    return tmp_path / "seal.pem", tmp_path / "seal.key"


async def test_a_renewed_seal_is_used_without_a_restart(
    seal: tuple[Path, Path], tmp_path: Path, clock: ManualClock
) -> None:
    seals = SealFiles(*seal, clock)
    before = seals.current().certificate.serial_number
    renewed = create_pki(tmp_path / "renewed")
    shutil.copy(renewed.cert("dmp-sign"), seal[0])
    assert seals.current().certificate.serial_number == before  # the pair does not fit yet
    shutil.copy(renewed.key("dmp-sign"), seal[1])
    other = SealFiles(*seal, clock).current().certificate.serial_number
    assert other != before
    await until(lambda: seals.current().certificate.serial_number == other)
    assert seals.current().structure == "1990000002"


def test_a_seal_that_expired_no_longer_signs(seal: tuple[Path, Path], clock: ManualClock) -> None:
    seals = SealFiles(*seal, clock)
    clock.advance(timedelta(days=400))
    with pytest.raises(InvalidValue, match="expired"):
        seals.current()


@pytest.mark.parametrize(
    ("cert", "key", "rule"),
    [
        ("dmp-auth", "dmp-auth", "an authentication certificate cannot sign"),
        ("dmp-sign", "dmp-auth", "not the certificate of the key"),
        ("service-dmp", "service-dmp", "RSA key expected"),
        ("dmp-server", "dmp-server", "exactly one OU expected"),
    ],
)
def test_what_is_no_seal_is_refused(pki: Pki, clock: ManualClock, cert: str, key: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        SealFiles(pki.cert(cert), pki.key(key), clock)
    assert refusal.value.rule == rule


def test_an_unreadable_seal_is_refused(seal: tuple[Path, Path], clock: ManualClock) -> None:
    seal[1].write_text("not a key")
    with pytest.raises(InvalidValue, match="unreadable"):
        SealFiles(*seal, clock)
    with pytest.raises(InvalidValue, match="unreadable"):
        SealFiles(Path("/nowhere"), seal[1], clock)


def test_a_seal_of_the_future_or_the_past_is_refused(signer: Signer) -> None:
    for days in (-10, 400):
        with pytest.raises(InvalidValue, match="expired or not yet valid"):
            check_signer(signer.key, signer.certificate, at=datetime.now(UTC) + timedelta(days=days))


def test_the_two_certificates_must_name_one_structure(pki: Pki, signer: Signer, tmp_path: Path) -> None:
    check_same_structure(pki.cert("dmp-auth"), signer)
    with pytest.raises(InvalidValue, match="another structure"):
        check_same_structure(pki.cert("dmp-auth"), Signer(signer.key, signer.certificate, "1999999999"))
    with pytest.raises(InvalidValue, match="unreadable"):
        check_same_structure(tmp_path, signer)


# --- the document store: the real one and the fake of the use-case tests behave alike


class ReportPeer:
    """The route of report, on the documents of a test."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.available = True

    async def answer(self, request: Request) -> Response:
        if not self.available:
            return Response(status=503)
        data = self.stored.get(request.path.removeprefix("/internal/documents/").removesuffix("/cda"))
        return Response(status=404) if data is None else Response(body=data, content_type="text/xml")


@pytest.fixture(params=["report over HTTP", "fake"])
async def store(request: pytest.FixtureRequest, documents: Any) -> AsyncIterator[tuple[Any, Any]]:
    """What holds the documents, and what gives them."""
    if request.param == "fake":
        yield documents, documents
        return
    report = ReportPeer()
    server = HttpServer(report.answer)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield report, ReportDocuments(client, max_bytes=100)
    await server.stop()


async def test_a_document_comes_as_it_was_stored(store: tuple[Any, Any]) -> None:
    holder, source = store
    holder.stored["doc-1"] = b"<a>\r\n\xc3\xa9</a>"
    assert await source.fetch_cda("doc-1") == b"<a>\r\n\xc3\xa9</a>"


async def test_a_document_nobody_knows_is_missing(store: tuple[Any, Any]) -> None:
    with pytest.raises(DocumentMissing):
        await store[1].fetch_cda("doc-2")


async def test_a_store_that_does_not_serve_is_unavailable(store: tuple[Any, Any]) -> None:
    store[0].available = False
    with pytest.raises(DocumentsUnavailable):
        await store[1].fetch_cda("doc-1")


async def test_a_document_without_end_is_cut_past_the_limit() -> None:
    report = ReportPeer()
    report.stored["doc"] = b"x" * 5_000_000
    server = HttpServer(report.answer)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        data = await ReportDocuments(client, max_bytes=100).fetch_cda("doc")
    await server.stop()
    assert 100 < len(data) < 5_000_000


async def test_a_store_nobody_listens_for_is_unavailable() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False) as client:
        with pytest.raises(DocumentsUnavailable):
            await ReportDocuments(client, max_bytes=100).fetch_cda("doc-1")
