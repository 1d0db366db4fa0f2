"""The double reads the reference messages: what it refuses, it does not refuse out of ignorance."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from navette_sandbox.simulators.dmp import mime, names
from navette_sandbox.simulators.dmp.certificates import Authority, same_name, structure_of
from navette_sandbox.simulators.dmp.ebrim import read_submission
from navette_sandbox.simulators.dmp.errors import Problems
from navette_sandbox.simulators.dmp.lot_signature import LotSignature, LotSignatureError
from navette_sandbox.simulators.dmp.metadata import is_signature
from navette_sandbox.simulators.dmp.soap import read_envelope
from navette_sandbox.simulators.dmp.vihf import embedded_certificate, verify_with_xmlsec

pytestmark = pytest.mark.conformance

ROOT = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance"))
EXAMPLES = ROOT / "xds" / "own-examples"
NOW = datetime(2026, 1, 5, 10, 16, tzinfo=UTC)


def read(name: str):
    """Envelope and other parts of an example file: HTTP headers, blank line, body."""
    head, _, body = (EXAMPLES / name).read_bytes().replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    root, parts = mime.split(headers["Content-Type"], body)
    return read_envelope(root.content), parts


@pytest.fixture(autouse=True)
def _examples() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR holds no xds/own-examples")


@pytest.mark.parametrize("name", ["iti41-new.mime", "iti41-replace.mime", "iti41-new-with-lot-signature.mime"])
def test_reference_submissions_are_read_without_a_structural_problem(name: str) -> None:
    envelope, parts = read(name)
    problems = Problems()
    submission = read_submission(envelope.body.find(names.q(names.LCM, "SubmitObjectsRequest")), problems)
    problems.raise_if_any()
    assert envelope.action == names.ACTION_PROVIDE
    assert submission is not None
    assert len(submission.documents) == len(parts)


@pytest.mark.parametrize("name", ["iti41-new.mime", "iti41-replace.mime"])
def test_reference_vihf_signatures_verify(name: str) -> None:
    envelope, _ = read(name)
    signature = envelope.assertion.find(names.q(names.DS, "Signature"))
    certificate = embedded_certificate(signature)
    verify_with_xmlsec(signature, certificate, envelope.assertion)
    assert same_name(envelope.assertion[0].text, certificate.subject)


def test_the_reference_lot_signature_verifies_over_its_documents() -> None:
    envelope, parts = read("iti41-new-with-lot-signature.mime")
    submission = read_submission(envelope.body.find(names.q(names.LCM, "SubmitObjectsRequest")), Problems())
    contents = {part.content_id.split("@")[0]: part.content for part in parts}
    (signature,) = [item for item in contents.values() if b"IHEManifest" in item]
    (report,) = [item for item in contents.values() if item is not signature]
    (entry,) = [item for item in submission.documents.values() if not is_signature(item)]
    authority = Authority(EXAMPLES / "test-signing-cert.pem")
    lot = submission.package.external_id(names.SET_UNIQUE_ID)
    structure = structure_of(embedded_certificate(envelope.assertion.find(names.q(names.DS, "Signature"))))
    documents = {entry.external_id(names.DOC_UNIQUE_ID): report}
    LotSignature(signature).verify(documents, lot, authority, structure, NOW)
    altered = {key: value.replace(b"</title>", b".</title>") for key, value in documents.items()}
    with pytest.raises(LotSignatureError, match="empreinte"):
        LotSignature(signature).verify(altered, lot, authority, structure, NOW)
