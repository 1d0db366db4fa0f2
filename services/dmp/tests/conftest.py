"""A fictitious site, its seal, and reports to publish."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from navette_chassis import ManualClock
from navette_dmp.adapters.seal_files import SealFiles
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import Document, SubmissionRules, check_document
from navette_dmp.domain.vihf import Software, VihfProfile
from navette_dmp.use_cases.ports import DocumentMissing, DocumentsUnavailable
from navette_documents.sites import Site, load_sites
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.pki import Pki
from navette_sandbox.testing import broker_for_tests

DATA = Path(__file__).parent / "data"
NOW = datetime.now(UTC).replace(microsecond=0)

SITE: dict[str, Any] = {
    "site_id": "lilas",
    "name": "IMAGERIE DES LILAS",
    "finess": "990000001",
    "finess_legal": "990000002",
    "legal_name": "GROUPE IMAGERIE DES RIVES",
    "oid_root": "1.2.250.1.999.7",
    "address": {"street": "Rue Exemple", "postal_code": "44000", "city": "NANTES"},
    "phone": "0200000000",
    "sector": "SA08",
    "facility_type": "SA08",
    "practice_setting": "AMBULATOIRE",
    "mss_mailbox": "lilas@imagerie.mssante.example",
    "mss_display_name": "Imagerie des Lilas",
    "ipp_oid": "1.2.250.1.999.7.4",
}

MakeCda = Callable[..., bytes]
MakePublication = Callable[..., Publication]


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of its own: this service handles events that the tests of other services promise too."""
    yield from broker_for_tests(tmp_path_factory.mktemp("broker"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def sites_json() -> bytes:
    return json.dumps([SITE]).encode()


@pytest.fixture
def site(sites_json: bytes) -> Site:
    return load_sites(sites_json)["lilas"]


@pytest.fixture
def signer(pki: Pki, clock: ManualClock) -> Signer:
    return SealFiles(pki.cert("dmp-sign"), pki.key("dmp-sign"), clock).current()


@pytest.fixture
def rules() -> SubmissionRules:
    return SubmissionRules(source_id="1.2.250.1.999.9.1", production=True, max_document_bytes=5_000_000)


@pytest.fixture
def profile() -> VihfProfile:
    return VihfProfile(Software("Navette", "0.1.0", "HOMOLOGATION-SECRETE", "1.2.250.1.999.9.2"))


@pytest.fixture
def make_cda() -> MakeCda:
    def make(
        unique_id: str = "1.2.250.1.999.7.1.1001",
        *,
        version: int = 1,
        ins_oid: str = "1.2.250.1.213.1.4.8",
        replaces: str | None = None,
    ) -> bytes:
        related = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{replaces}"/></parentDocument>'
            "</relatedDocument>"
            if replaces
            else ""
        )
        text = (DATA / "report.xml").read_text(encoding="utf-8")
        for name, value in {
            "@PROFESSIONAL@": (DATA / "professional.xml").read_text(encoding="utf-8"),
            "@UNIQUE_ID@": unique_id,
            "@VERSION@": str(version),
            "@INS_OID@": ins_oid,
            "@REPLACES@": related,
        }.items():
            text = text.replace(name, value)
        return text.encode()

    return make


@pytest.fixture
def make_publication() -> MakePublication:
    def make(cda: bytes, unique_id: str = "1.2.250.1.999.7.1.1001", **changes: Any) -> Publication:
        values: dict[str, Any] = {
            "report_id": "report-1",
            "version": 1,
            "site_id": "lilas",
            "document_id": f"doc-{unique_id}",
            "unique_id": unique_id,
            "sha256": hashlib.sha256(cda).hexdigest(),
            "size": len(cda),
            "replaces_unique_id": None,
            "hidden_from_professionals": False,
            "hidden_from_patient": False,
            "hidden_from_representatives": False,
        }
        return Publication(**{**values, **changes})

    return make


@pytest.fixture
def document(
    make_cda: MakeCda,
    make_publication: MakePublication,
    site: Site,
    rules: SubmissionRules,
    signer: Signer,
) -> Document:
    cda = make_cda()
    return check_document(cda, make_publication(cda), site, rules, signer_structure=signer.structure)


@pytest.fixture(scope="session")
def conformance() -> Path:
    import os

    default = Path(__file__).resolve().parents[3].parent / "shared" / "conformance"
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default))
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path


class Documents:
    """A document store that gives what a test put in it."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.available = True

    async def fetch_cda(self, document_id: str) -> bytes:
        if not self.available:
            raise DocumentsUnavailable
        if document_id not in self.stored:
            raise DocumentMissing
        return self.stored[document_id]


class States:
    """What became of earlier publications."""

    def __init__(self) -> None:
        self.known: dict[str, PublicationStatus] = {}

    async def status_of(self, unique_id: str) -> str | None:
        return self.known.get(unique_id)


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def states() -> States:
    return States()
