"""The XAdES signature of the lot, verified by the xmlsec1 tool; the product builds it by hand."""

import base64
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from navette_dmp.domain import names
from navette_dmp.domain.lot_signature import LotDigest, sign_lot
from navette_dmp.domain.signer import Signer
from navette_sandbox.pki import Pki

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
S = {"ds": names.DSIG, "x": names.XADES}
LOT, DOCUMENT = "1.2.250.1.999.7.1.55", "1.2.250.1.999.7.1.1001"
CDA = '<?xml version="1.0"?><!-- é --><a xmlns="urn:hl7-org:v3"  b = "1"><c/>&#233;</a>'.encode()


@pytest.fixture(params=list(LotDigest))
def digest(request: pytest.FixtureRequest) -> LotDigest:
    return LotDigest(request.param)


@pytest.fixture
def signature(signer: Signer, digest: LotDigest) -> bytes:
    return sign_lot({DOCUMENT: CDA}, lot_unique_id=LOT, signer=signer, signed_at=NOW, digest=digest)


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="the xmlsec1 tool is not installed")
def test_the_xmlsec1_tool_verifies_the_signature(signature: bytes, pki: Pki, tmp_path: Path) -> None:
    assert run_xmlsec1(signature, pki, tmp_path) == 0


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="the xmlsec1 tool is not installed")
@pytest.mark.parametrize(
    ("sent", "forged"),
    [(LOT.encode(), LOT.encode() + b"6"), (b"SigningTime>2", b"SigningTime>3"), (b"AA==", b"AQ==")],
)
def test_the_tool_refuses_a_changed_manifest_or_property(
    signature: bytes, pki: Pki, tmp_path: Path, sent: bytes, forged: bytes
) -> None:
    assert sent in signature
    assert run_xmlsec1(signature.replace(sent, forged), pki, tmp_path) != 0


def run_xmlsec1(data: bytes, pki: Pki, directory: Path) -> int:
    file = directory / "lot.xml"
    file.write_bytes(data)
    ids = [f"--id-attr:Id={names.DSIG}:Manifest", f"--id-attr:Id={names.XADES}:SignedProperties"]
    command = ["xmlsec1", "--verify", "--ignore-manifests", "--insecure"]
    for option in ids:
        name, value = option.split("=")
        command += [name, value]
    command += ["--pubkey-cert-pem", str(pki.cert("dmp-sign")), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_the_manifest_names_the_lot_and_the_canonical_document(signature: bytes, digest: LotDigest) -> None:
    root = etree.fromstring(signature)
    references = root.findall("ds:Object/ds:Manifest/ds:Reference", S)
    assert [reference.get("URI") for reference in references] == [f"urn:oid:{LOT}", f"urn:oid:{DOCUMENT}"]
    assert references[0].findtext("ds:DigestValue", namespaces=S) == "AA=="
    canonical = '<!-- é -->\n<a xmlns="urn:hl7-org:v3" b="1"><c></c>é</a>'.encode()
    expected = base64.b64encode(hashlib.new(digest.value, canonical).digest()).decode()
    assert references[1].findtext("ds:DigestValue", namespaces=S) == expected


def test_the_signed_properties_say_when_and_by_which_certificate(
    signature: bytes, digest: LotDigest, signer: Signer
) -> None:
    root = etree.fromstring(signature)
    path = "ds:Object/x:QualifyingProperties/x:SignedProperties/x:SignedSignatureProperties"
    (properties,) = root.findall(path, S)
    assert properties.findtext("x:SigningTime", namespaces=S) == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    certificate = "x:SigningCertificate/x:Cert"
    der = signer.certificate.public_bytes(Encoding.DER)
    expected = base64.b64encode(hashlib.new(digest.value, der).digest()).decode()
    assert properties.findtext(f"{certificate}/x:CertDigest/x:DigestValue", namespaces=S) == expected
    serial = properties.findtext(f"{certificate}/x:IssuerSerial/ds:X509SerialNumber", namespaces=S)
    assert serial == str(signer.certificate.serial_number)
    assert properties.find("x:SignaturePolicyIdentifier/x:SignaturePolicyImplied", S) is not None
    purpose = root.findtext("ds:Object/ds:SignatureProperties/ds:SignatureProperty", namespaces=S)
    assert purpose == "1.2.840.10065.1.12.1.14"


def test_the_algorithms_are_those_of_the_chosen_hash(signature: bytes, digest: LotDigest) -> None:
    root = etree.fromstring(signature)
    (method,) = root.findall("ds:SignedInfo/ds:SignatureMethod", S)
    expected = {
        LotDigest.SHA1: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        LotDigest.SHA256: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    }
    assert method.get("Algorithm") == expected[digest]
    (canonicalization,) = root.findall("ds:SignedInfo/ds:CanonicalizationMethod", S)
    assert canonicalization.get("Algorithm") == ("http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments")
    types = [r.get("Type") for r in root.findall("ds:SignedInfo/ds:Reference", S)]
    assert types == [
        "http://www.w3.org/2000/09/xmldsig#Manifest",
        "http://uri.etsi.org/01903/v1.1.1#SignedProperties",
    ]
