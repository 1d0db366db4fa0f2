"""The seal of the structure: the key and certificate (ORG SIGN) that sign VIHF and lots (spec/dmp.md §2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from navette_documents.errors import InvalidValue


@dataclass(frozen=True)
class Signer:
    """A seal. Built by `check_signer` only, so that the wrong certificate never signs."""

    key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    structure: str
    """Struct_IdNat that the certificate was issued to: its OU."""

    @cached_property
    def issuer_name(self) -> str:
        """Subject DN in RFC 4514 order, the Issuer of the assertions it signs."""
        return self.certificate.subject.rfc4514_string()

    def check_validity(self, at: datetime) -> None:
        """Raise InvalidValue when the certificate is not valid at `at`."""
        if not self.certificate.not_valid_before_utc <= at <= self.certificate.not_valid_after_utc:
            raise InvalidValue("dmp_sign_cert", "expired or not yet valid")


def structure_of(certificate: x509.Certificate) -> str:
    """OU of the subject. Raises InvalidValue unless there is exactly one."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if len(units) != 1:
        raise InvalidValue("certificate", "exactly one OU expected")
    return str(units[0].value)


def check_signer(key: object, certificate: x509.Certificate, *, at: datetime) -> Signer:
    """The seal, if `certificate` is one.

    Raises InvalidValue (field "dmp_sign_cert" or "dmp_sign_key") when the key is not its key, when it is made
    for TLS clients (the two certificates swapped: the DMP answers DMPInvalidCertificate), when its subject
    names no structure, or when it is not valid at `at`.
    """
    if not isinstance(key, RSAPrivateKey):
        raise InvalidValue("dmp_sign_key", "RSA key expected")
    if key.public_key() != certificate.public_key():
        raise InvalidValue("dmp_sign_cert", "not the certificate of the key")
    if _for_tls_clients(certificate):
        raise InvalidValue("dmp_sign_cert", "an authentication certificate cannot sign")
    signer = Signer(key, certificate, structure_of(certificate))
    signer.check_validity(at)
    return signer


def _for_tls_clients(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages
