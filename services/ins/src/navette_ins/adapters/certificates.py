"""The software certificates INSi knows the structure by (spec/ins.md §2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

CommonName = Literal["INSI-MANU", "INSI-AUTO"]


class CertificateUnfit(ValueError):  # noqa: N818 - the certificate is what is unfit
    """The client certificate cannot be used for INSi; the message says what must be ordered instead."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What an administrator checks of a certificate."""

    common_name: str
    organisational_unit: str
    """Emetteur of every call made with it."""
    issuer: str
    not_before: datetime
    not_after: datetime


def certificate_facts(certificate: Path) -> CertificateFacts:
    """Read a PEM certificate, leaf first. Raises OSError or ValueError."""
    leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    return CertificateFacts(
        common_name=_last(leaf.subject, NameOID.COMMON_NAME),
        organisational_unit=_last(leaf.subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
        issuer=_last(leaf.issuer, NameOID.COMMON_NAME),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def sender_of(certificate: Path, common_name: CommonName = "INSI-MANU") -> str:
    """Emetteur: OU of a software certificate.

    The teleservice tells calls made by a person (INSI-MANU) from unattended ones (INSI-AUTO) by the CN. Raises
    CertificateUnfit, so that the service does not start with a certificate that INSi refuses (desir_560).
    """
    facts = certificate_facts(certificate)
    if facts.common_name != common_name:
        raise CertificateUnfit(f"the CN of this INSi certificate must be {common_name}")
    if not facts.organisational_unit:
        raise CertificateUnfit("the INSi certificate has no OU: it names the structure that calls")
    return facts.organisational_unit


def _last(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[-1].value) if found else ""
