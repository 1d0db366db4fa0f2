"""The sandbox's own certificates: an IGC-Santé look-alike for the edges, an internal CA for the services.

Names follow spec/ins.md §2, spec/mss.md §2 and spec/dmp.md §3: organisation certificates of usage
*authentification client* (ORG AUTH_CLI) and *cachet* (ORG SIGN), subject `C, ST, O, OU, CN` with
`OU` = Struct_IdNat. Validity is counted from the creation of the directory: a year for what is
good, over since yesterday for `expired-client`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from navette_sandbox.group import LEGAL_NAME, SENDER_MAILBOX, STRUCT_IDNAT

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

ROOT_CN = "TEST AC RACINE IGC-SANTE ELEMENTAIRE"
ISSUING_CN = "TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS"

SERVERS = ("insi-server", "psc-server", "annuaire-server", "mss-server", "dmp-server", "pfi-server")
SERVICES = ("service-ins", "service-psc-auth", "service-report", "service-dmp", "service-mss")
PROBE = "sandbox-probe"
"""Shown to the services by the supervisor that asks for their health."""
OLD_RIS = "old-ris"
"""Shown by the system that sends reports to the report service."""
CLIENT_CNS = {
    "insi-client": "INSI-AUTO",
    "insi-client-manu": "INSI-MANU",
    "psc-client": "NAVETTE-PSC",
    "dmp-auth": "NAVETTE-DMP-AUTH",
    "mss-client": SENDER_MAILBOX,
    "ris-client": "NAVETTE-RIS",
    "pfi-client": "PFI-EXEMPLE",
}

COMPLETE = "complete-3"
"""File that says that everything is there. Its number is raised whenever a certificate is added."""

_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Pki:
    """A directory of PEM files."""

    directory: Path

    @property
    def igc_ca(self) -> Path:
        """Root and issuing CA that the national servers and the group's certificates come from."""
        return self.directory / "igc-ca.pem"

    @property
    def internal_ca(self) -> Path:
        """CA of the connections between the services."""
        return self.directory / "internal-ca.pem"

    @property
    def rogue_ca(self) -> Path:
        """CA that nobody trusts."""
        return self.directory / "rogue-ca.pem"

    def cert(self, name: str) -> Path:
        """Certificate of `name`, followed by the intermediates."""
        return self.directory / f"{name}.pem"

    def key(self, name: str) -> Path:
        """Private key of `name` (PKCS#8, not encrypted, readable by its owner only)."""
        return self.directory / f"{name}.key"

    def pair(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of `name`."""
        return self.cert(name), self.key(name)


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...]


def create_pki(directory: Path) -> Pki:
    """Fill `directory` with every certificate of the sandbox, or return it as it is if it is complete."""
    pki = Pki(directory)
    complete = directory / COMPLETE
    if complete.exists():
        return pki
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    now = datetime.now(UTC).replace(microsecond=0)
    root = _root(ROOT_CN, now)
    igc = _issuing(root, ISSUING_CN, now)
    internal = _root("NAVETTE SANDBOX INTERNAL CA", now)
    rogue = _issuing(_root("ROGUE ROOT", now), ISSUING_CN, now)
    pki.igc_ca.write_bytes(_pem(root.certificate) + _pem(igc.certificate))
    pki.internal_ca.write_bytes(_pem(internal.certificate))
    pki.rogue_ca.write_bytes(_pem(rogue.chain[-1]) + _pem(rogue.certificate))

    for name in SERVERS:
        _write(pki, name, igc, _organisation(f"localhost.{name}", unit=None), now, _server(name))
    for name in (*SERVICES, PROBE):
        _write(pki, name, internal, _common_name(name), now, _server(name))
    for name, cn in CLIENT_CNS.items():
        _write(pki, name, igc, _organisation(cn), now, _CLIENT)
    _write(pki, OLD_RIS, internal, _common_name(OLD_RIS), now, _CLIENT)
    _write(pki, "dmp-sign", igc, _organisation("NAVETTE-DMP-CACHET"), now, _SEAL)
    _write(pki, "rogue-client", rogue, _organisation("INSI-AUTO"), now, _CLIENT)
    _write(pki, "expired-client", igc, _organisation("INSI-AUTO"), now - 2 * _YEAR, _CLIENT)
    complete.touch()
    return pki


@dataclass(frozen=True)
class _Usage:
    extended: Sequence[x509.ObjectIdentifier]
    non_repudiation: bool
    names: Sequence[x509.GeneralName] = ()


_LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


def _server(name: str) -> _Usage:
    """A server known as localhost and, between containers, by the name of its process (dmp, sim-dmp)."""
    process = name.removeprefix("service-") if name.startswith("service-") else f"sim-{name.removesuffix('-server')}"
    return _Usage((ExtendedKeyUsageOID.SERVER_AUTH,), non_repudiation=False, names=(*_LOCAL, x509.DNSName(process)))


_CLIENT = _Usage((ExtendedKeyUsageOID.CLIENT_AUTH,), non_repudiation=False)
_SEAL = _Usage((), non_repudiation=True)


def _common_name(cn: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def _organisation(cn: str, unit: str | None = STRUCT_IDNAT) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Loire-Atlantique (44)"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, LEGAL_NAME),
    ]
    if unit is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, cn))
    return x509.Name(attributes)


def _authority_name(cn: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NAVETTE SANDBOX (FICTIF)"),
            x509.NameAttribute(NameOID.COMMON_NAME, cn),
        ]
    )


def _base(subject: x509.Name, issuer: x509.Name, key: Key, start: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _DAY)
        .not_valid_after(start + _YEAR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, depth: int | None) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True).add_extension(
        _key_usage(sign=False, commit=False, authority=True), critical=True
    )


def _root(cn: str, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _authority_name(cn)
    certificate = _as_authority(_base(name, name, key, now), None).sign(key, hashes.SHA256())
    return _Authority(certificate, key, ())


def _issuing(root: _Authority, cn: str, now: datetime) -> _Authority:
    key = rsa.generate_private_key(65537, 2048)
    builder = _base(_authority_name(cn), root.certificate.subject, key, now)
    builder = builder.add_extension(_authority_key(root), critical=False)
    certificate = _as_authority(builder, 0).sign(root.key, hashes.SHA256())
    return _Authority(certificate, key, (certificate, root.certificate))


def _authority_key(issuer: _Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _key_usage(*, sign: bool, commit: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=commit,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _write(pki: Pki, name: str, issuer: _Authority, subject: x509.Name, start: datetime, usage: _Usage) -> None:
    internal = not issuer.chain
    key: Key = ec.generate_private_key(ec.SECP256R1()) if internal else rsa.generate_private_key(65537, 2048)
    builder = (
        _base(subject, issuer.certificate.subject, key, start)
        .add_extension(_authority_key(issuer), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True, commit=usage.non_repudiation, authority=False), critical=True)
    )
    if usage.extended:
        # Between services each end shows a certificate, so a service's serves both purposes.
        extended = [*usage.extended, ExtendedKeyUsageOID.CLIENT_AUTH] if internal else list(usage.extended)
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if usage.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(usage.names), critical=False)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    pki.cert(name).write_bytes(_pem(certificate) + b"".join(_pem(each) for each in issuer.chain[:1]))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pki.key(name).touch(mode=0o600)
    pki.key(name).write_bytes(private)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
