"""XAdES 1.1.1 signature of a lot, a detached file of its own (spec/dmp.md §6.9).

Built by hand: current XAdES libraries make 1.3.2 and later. The seal signs SignedInfo, which holds the
digests of the manifest (one line per document of the lot) and of the signed properties.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from navette_documents.xml import parse_xml

from navette_dmp.domain.names import DSIG, XADES, default_namespace, q
from navette_dmp.domain.signer import Signer

C14N_WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
PURPOSE_SOURCE = "1.2.840.10065.1.12.1.14"
_SIGNATURE_ID = "lot-signature"


class LotDigest(StrEnum):
    """Hash of the signature. The samples of 2019 use SHA-1; whether SHA-256 is required is not published."""

    SHA1 = "sha1"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class _Suite:
    signature_uri: str
    digest_uri: str
    hash_algorithm: hashes.HashAlgorithm


_SUITES: Mapping[LotDigest, _Suite] = {
    LotDigest.SHA1: _Suite(
        DSIG + "rsa-sha1",
        DSIG + "sha1",
        hashes.SHA1(),  # noqa: S303 - prescribed by the samples, a setting
    ),
    LotDigest.SHA256: _Suite(
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        hashes.SHA256(),
    ),
}

_Element = etree._Element


def sign_lot(
    documents: Mapping[str, bytes],
    *,
    lot_unique_id: str,
    signer: Signer,
    signed_at: datetime,
    digest: LotDigest = LotDigest.SHA256,
) -> bytes:
    """Signature file of the lot that holds `documents` (XML, by uniqueId). Raises XmlRefused on bad XML."""
    writer = _Writer(_SUITES[digest], digest)
    signature = etree.Element(q(DSIG, "Signature"), {"Id": _SIGNATURE_ID}, nsmap=default_namespace(DSIG))
    signed_info = _sub(signature, "SignedInfo")
    signature_value = _sub(signature, "SignatureValue")
    x509_data = _sub(_sub(signature, "KeyInfo"), "X509Data")
    der = signer.certificate.public_bytes(Encoding.DER)
    _sub(x509_data, "X509Certificate").text = base64.b64encode(der).decode()
    _purpose(signature)
    manifest = writer.manifest(signature, documents, lot_unique_id)
    properties = writer.signed_properties(signature, signer, signed_at)

    _sub(signed_info, "CanonicalizationMethod", Algorithm=C14N_WITH_COMMENTS)
    _sub(signed_info, "SignatureMethod", Algorithm=writer.suite.signature_uri)
    for kind, reference, target in (
        (DSIG + "Manifest", "#IHEManifest", manifest),
        (XADES + "SignedProperties", "#S0-SignedProperties", properties),
    ):
        element = _sub(signed_info, "Reference", Type=kind, URI=reference)
        # A same-document reference without transform is canonicalised without comments.
        writer.digest(element, _canonical(target, with_comments=False))
    value = signer.key.sign(
        _canonical(signed_info, with_comments=True), padding.PKCS1v15(), writer.suite.hash_algorithm
    )
    signature_value.text = base64.b64encode(value).decode()
    return etree.tostring(signature, xml_declaration=True, encoding="UTF-8")


def _canonical(element: _Element, *, with_comments: bool) -> bytes:
    # lxml canonicalises a subtree that inherits a default namespace wrongly: re-parse it alone first.
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    canonical: bytes = etree.tostring(alone, method="c14n", with_comments=with_comments)
    return canonical


def _purpose(signature: _Element) -> None:
    properties = _sub(_sub(signature, "Object"), "SignatureProperties")
    purpose = _sub(properties, "SignatureProperty", Id="purposeOfSignature", Target=f"#{_SIGNATURE_ID}")
    purpose.text = PURPOSE_SOURCE


class _Writer:
    def __init__(self, suite: _Suite, digest: LotDigest) -> None:
        self.suite = suite
        self._digest = digest

    def hash(self, data: bytes) -> str:
        return base64.b64encode(hashlib.new(self._digest.value, data).digest()).decode()

    def digest(self, parent: _Element, data: bytes) -> None:
        _sub(parent, "DigestMethod", Algorithm=self.suite.digest_uri)
        _sub(parent, "DigestValue").text = self.hash(data)

    def manifest(self, signature: _Element, documents: Mapping[str, bytes], lot_unique_id: str) -> _Element:
        manifest = _sub(_sub(signature, "Object"), "Manifest", Id="IHEManifest")
        lot = _sub(manifest, "Reference", URI=f"urn:oid:{lot_unique_id}")
        _sub(lot, "DigestMethod", Algorithm=self.suite.digest_uri)
        # The lot itself has no bytes to hash; the samples write this placeholder.
        _sub(lot, "DigestValue").text = "AA=="
        for unique_id, content in documents.items():
            reference = _sub(manifest, "Reference", URI=f"urn:oid:{unique_id}")
            _sub(_sub(reference, "Transforms"), "Transform", Algorithm=C14N_WITH_COMMENTS)
            tree = parse_xml(content).getroottree()
            self.digest(reference, etree.tostring(tree, method="c14n", with_comments=True))
        return manifest

    def signed_properties(self, signature: _Element, signer: Signer, signed_at: datetime) -> _Element:
        qualifying = etree.SubElement(
            _sub(signature, "Object"),
            q(XADES, "QualifyingProperties"),
            {"Target": f"#{_SIGNATURE_ID}"},
            nsmap=default_namespace(XADES),
        )
        signed = _xades(qualifying, "SignedProperties")
        signed.set("Id", "S0-SignedProperties")
        properties = _xades(signed, "SignedSignatureProperties")
        moment = signed_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        _xades(properties, "SigningTime").text = moment
        certificate = _xades(_xades(properties, "SigningCertificate"), "Cert")
        self.digest_of_certificate(certificate, signer)
        policy = _xades(properties, "SignaturePolicyIdentifier")
        _xades(policy, "SignaturePolicyImplied")
        _xades(signed, "SignedDataObjectProperties")
        return signed

    def digest_of_certificate(self, parent: _Element, signer: Signer) -> None:
        digest = _xades(parent, "CertDigest")
        _xades(digest, "DigestMethod").set("Algorithm", self.suite.digest_uri)
        der = signer.certificate.public_bytes(Encoding.DER)
        _xades(digest, "DigestValue").text = self.hash(der)
        serial = _xades(parent, "IssuerSerial")
        issuer = etree.SubElement(serial, q(DSIG, "X509IssuerName"), nsmap=default_namespace(DSIG))
        issuer.text = signer.certificate.issuer.rfc4514_string()
        number = etree.SubElement(serial, q(DSIG, "X509SerialNumber"), nsmap=default_namespace(DSIG))
        number.text = str(signer.certificate.serial_number)


def _sub(parent: _Element, tag: str, **attributes: str) -> _Element:
    return etree.SubElement(parent, q(DSIG, tag), attributes)


def _xades(parent: _Element, tag: str) -> _Element:
    return etree.SubElement(parent, q(XADES, tag))
