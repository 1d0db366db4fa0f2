"""Verification of the detached XAdES signature of the lot (spec/dmp.md §6.9).

xmlsec processes Manifests and would look for ``urn:oid:`` references on its own, so this is verified step
by step with lxml (canonicalisation) and cryptography (digests, RSA).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from navette_sandbox.simulators.dmp import certificates, names
from navette_sandbox.simulators.dmp.errors import Problems
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.xml import XmlError, attribute, instant, parse, text

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_COMMENTS = f"{C14N}#WithComments"
SOURCE = "1.2.840.10065.1.12.1.14"
_DIGESTS = {f"{names.DS}sha1": "sha1", "http://www.w3.org/2001/04/xmlenc#sha256": "sha256"}
_SIGNATURES: dict[str, hashes.HashAlgorithm] = {
    f"{names.DS}rsa-sha1": hashes.SHA1(),  # noqa: S303 - the samples of 2019 use it
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": hashes.SHA256(),
}


class LotSignatureError(ValueError):
    """The signature of the lot is refused; ``rule`` names the broken rule."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = f"signature.{rule}"


def _canonical(element: etree._Element, *, with_comments: bool) -> bytes:
    # Serialising first copies the namespaces in scope, which inclusive C14N of a subtree has to render.
    copy = parse(etree.tostring(element, with_tail=False))
    return etree.tostring(copy, method="c14n", with_comments=with_comments)


def _digest(reference: etree._Element, data: bytes) -> bool:
    algorithm = _DIGESTS.get(attribute(reference.find(q(names.DS, "DigestMethod")), "Algorithm"))
    if algorithm is None:
        return False
    value = text(reference.find(q(names.DS, "DigestValue")))
    return _b64(value) == hashlib.new(algorithm, data).digest()


def _b64(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def canonical_document(content: bytes) -> bytes:
    """A whole XML document in C14N 1.0 with comments."""
    out = io.BytesIO()
    parse(content).getroottree().write_c14n(out, with_comments=True)
    return out.getvalue()


class LotSignature:
    """One signature file to verify against the lot it came with."""

    def __init__(self, content: bytes) -> None:
        try:
            self._root = parse(content)
        except XmlError as error:
            raise LotSignatureError("xml", "signature du lot illisible") from error
        if self._root.tag != q(names.DS, "Signature") or not attribute(self._root, "Id"):
            raise LotSignatureError("structure", "ds:Signature avec Id attendu")

    def verify(
        self,
        documents: Mapping[str, bytes],
        lot_unique_id: str,
        authority: certificates.Authority,
        structure: str,
        now: datetime,
    ) -> None:
        """Check certificate, SignedInfo, manifest and XAdES properties. Raises `LotSignatureError`."""
        certificate = self._certificate(authority, structure, now)
        self._check_signed_info(certificate)
        self._check_manifest(documents, lot_unique_id)
        self._check_properties(certificate, now)

    def _find(self, path: str) -> etree._Element:
        found = self._root.findall(path, {"ds": names.DS, "xa": names.XADES})
        if len(found) != 1:
            raise LotSignatureError("structure", f"{path.rsplit(':', 1)[-1]} attendu une fois")
        return found[0]

    def _certificate(self, authority: certificates.Authority, structure: str, now: datetime) -> x509.Certificate:
        der = _b64(text(self._root.find(".//ds:KeyInfo/ds:X509Data/ds:X509Certificate", {"ds": names.DS})))
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise LotSignatureError("certificate", "X509Certificate absent ou illisible") from error
        try:
            authority.check_chain(certificate, now)
            certificates.check_seal(certificate)
            if certificates.structure_of(certificate) != structure:
                raise LotSignatureError("certificate", "OU du signataire du lot différente du VIHF")
        except certificates.CertificateError as error:
            raise LotSignatureError("certificate", f"signature du lot : {error}") from error
        return certificate

    def _check_signed_info(self, certificate: x509.Certificate) -> None:
        info = self._find("ds:SignedInfo")
        method = attribute(info.find(q(names.DS, "CanonicalizationMethod")), "Algorithm")
        if method != C14N_COMMENTS:
            raise LotSignatureError("algorithm", "CanonicalizationMethod : C14N WithComments attendu")
        algorithm = _SIGNATURES.get(attribute(info.find(q(names.DS, "SignatureMethod")), "Algorithm"))
        key = certificate.public_key()
        if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
            raise LotSignatureError("algorithm", "SignatureMethod non supportée")
        try:
            value = _b64(text(self._find("ds:SignatureValue")))
            key.verify(value, _canonical(info, with_comments=True), padding.PKCS1v15(), algorithm)
        except InvalidSignature as error:
            raise LotSignatureError("value", "signature du lot invalide") from error
        references = {attribute(item, "Type"): item for item in info.iterfind(q(names.DS, "Reference"))}
        expected = {
            f"{names.DS}Manifest": self._find("ds:Object/ds:Manifest"),
            f"{names.XADES}SignedProperties": self._find("ds:Object/xa:QualifyingProperties/xa:SignedProperties"),
        }
        if set(references) != set(expected):
            raise LotSignatureError("references", "références Manifest et SignedProperties attendues")
        for kind, element in expected.items():
            reference = references[kind]
            uri_matches = attribute(reference, "URI") == f"#{attribute(element, 'Id')}"
            if not uri_matches or reference.find(q(names.DS, "Transforms")) is not None:
                raise LotSignatureError("references", "référence interne : URI ou transformation")
            if not _digest(reference, _canonical(element, with_comments=False)):
                raise LotSignatureError("digest", "empreinte d'une référence interne")

    def _check_manifest(self, documents: Mapping[str, bytes], lot_unique_id: str) -> None:
        manifest = self._find("ds:Object/ds:Manifest")
        references = {attribute(item, "URI"): item for item in manifest.iterfind(q(names.DS, "Reference"))}
        if set(references) != {f"urn:oid:{lot_unique_id}", *(f"urn:oid:{item}" for item in documents)}:
            raise LotSignatureError("manifest", "le manifeste ne liste pas le lot et ses documents")
        for unique_id, content in documents.items():
            reference = references[f"urn:oid:{unique_id}"]
            transforms = reference.findall(f"{q(names.DS, 'Transforms')}/{q(names.DS, 'Transform')}")
            if [attribute(item, "Algorithm") for item in transforms] != [C14N_COMMENTS]:
                raise LotSignatureError("manifest", "transformation C14N WithComments attendue")
            if not _digest(reference, canonical_document(content)):
                raise LotSignatureError("manifest", "empreinte d'un document du lot")

    def _check_properties(self, certificate: x509.Certificate, now: datetime) -> None:
        base = "ds:Object/xa:QualifyingProperties"
        if attribute(self._find(base), "Target") != f"#{attribute(self._root, 'Id')}":
            raise LotSignatureError("properties", "QualifyingProperties/@Target")
        signed = f"{base}/xa:SignedProperties/xa:SignedSignatureProperties"
        at = instant(text(self._find(f"{signed}/xa:SigningTime")))
        if at is None or abs(now - at) > timedelta(minutes=10):
            raise LotSignatureError("properties", "SigningTime hors de la fenêtre acceptée")
        digests = self._root.findall(
            f"{signed}/xa:SigningCertificate/xa:Cert/xa:CertDigest", {"ds": names.DS, "xa": names.XADES}
        )
        der = certificate.fingerprint
        wanted = {"sha1": der(hashes.SHA1()), "sha256": der(hashes.SHA256())}  # noqa: S303 - as in the samples
        if not any(
            _b64(text(item.find("{*}DigestValue")))
            == wanted.get(_DIGESTS.get(attribute(item.find("{*}DigestMethod"), "Algorithm"), ""))
            for item in digests
        ):
            raise LotSignatureError("properties", "CertDigest du signataire absent")
        purpose = self._find("ds:Object/ds:SignatureProperties/ds:SignatureProperty")
        if "".join(map(str, purpose.itertext())).strip() != SOURCE:
            raise LotSignatureError("properties", "purposeOfSignature attendu")


def check_lot_signature(
    content: bytes,
    documents: Mapping[str, bytes],
    lot_unique_id: str,
    authority: certificates.Authority,
    structure: str,
    now: datetime,
    problems: Problems,
) -> None:
    """Verify and note the broken rule, if any."""
    try:
        LotSignature(content).verify(documents, lot_unique_id, authority, structure, now)
    except LotSignatureError as error:
        problems.add("XDSRegistryMetadataError", str(error), error.rule)
    except XmlError as error:
        problems.add("XDSRegistryMetadataError", f"document signé : {error}", "signature.document")
