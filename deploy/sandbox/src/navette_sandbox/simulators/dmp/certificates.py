"""Certificates of the IGC-Santé look-alike: chain, dates, purpose, structure (spec/dmp.md §2.2, §4.5)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class CertificateError(ValueError):
    """The certificate is refused; the message says why, in French."""


class Authority:
    """The certificates of ``igc-ca.pem``: a leaf must chain to a self-signed one among them."""

    def __init__(self, bundle: Path) -> None:
        self._issuers = x509.load_pem_x509_certificates(bundle.read_bytes())

    def check_chain(self, leaf: x509.Certificate, now: datetime) -> None:
        """Raise `CertificateError` unless ``leaf`` and its issuers are valid at ``now`` up to a root."""
        current = leaf
        for _ in range(5):
            if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
                raise CertificateError("certificat expiré ou pas encore valide")
            issuer = self._issuer_of(current)
            if issuer is None:
                raise CertificateError("autorité émettrice inconnue")
            if issuer.fingerprint == current.fingerprint or issuer == current:
                return
            current = issuer
        raise CertificateError("chaîne de certification trop longue")

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate | None:
        for candidate in self._issuers:
            if candidate.subject != certificate.issuer:
                continue
            try:
                certificate.verify_directly_issued_by(candidate)
            except (InvalidSignature, ValueError, TypeError):
                continue
            return candidate
        return None


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def extended_usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    """Extended key usages, empty without the extension."""
    try:
        return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set()


def check_seal(certificate: x509.Certificate) -> None:
    """A *cachet* (ORG SIGN) has contentCommitment and is not for TLS clients. Raises `CertificateError`."""
    usage = _key_usage(certificate)
    if usage is None or not usage.content_commitment:
        raise CertificateError("Not a valid signature certificate (contentCommitment absent)")
    if ExtendedKeyUsageOID.CLIENT_AUTH in extended_usages(certificate):
        raise CertificateError("Not a valid signature certificate (certificat d'authentification)")


def check_client(certificate: x509.Certificate) -> None:
    """An ORG AUTH_CLI certificate has the extended usage clientAuth. Raises `CertificateError`."""
    if ExtendedKeyUsageOID.CLIENT_AUTH not in extended_usages(certificate):
        raise CertificateError("certificat sans usage authentification client")


def structure_of(certificate: x509.Certificate) -> str:
    """The Struct_IdNat in the OU of the subject. Raises `CertificateError` without exactly one."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if len(units) != 1:
        raise CertificateError("OU absente ou multiple")
    return str(units[0].value)


def same_name(written: str, name: x509.Name) -> bool:
    """Whether ``written`` (RFC 4514 order or the reverse, blanks allowed) is the distinguished name ``name``."""
    expected = [(attribute.rfc4514_attribute_name, str(attribute.value)) for attribute in name]
    found: list[tuple[str, str]] = []
    for part in re.split(r"(?<!\\)[,+]", written):
        short, equal, value = part.strip().partition("=")
        if not equal:
            return False
        found.append((short.strip(), re.sub(r"\\(.)", r"\1", value.strip())))
    return found in (expected, expected[::-1])
