"""The seal, read from PEM files and read again when they change."""

from __future__ import annotations

from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from navette_chassis import Clock
from navette_chassis.tls import FileWatch
from navette_documents.errors import InvalidValue

from navette_dmp.domain.signer import Signer, check_signer, structure_of

log = structlog.get_logger("navette.dmp")


class SealFiles:
    """Certificate and key of usage *cachet*; a half-written or wrong pair keeps the old one in use."""

    def __init__(self, cert: Path, key: Path, clock: Clock) -> None:
        self._cert, self._key, self._clock = cert, key, clock
        self._watch = FileWatch((cert, key))
        self._signer = self._load()

    def current(self) -> Signer:
        """The seal to sign with. Raises InvalidValue once it has expired."""
        if self._watch.changed():
            try:
                self._signer = self._load()
            except InvalidValue as refusal:
                if self._watch.refuse():
                    log.warning("seal.reload_failed", certificate="dmp-sign", code=refusal.rule)
            else:
                self._watch.accept()
                log.info("seal.reloaded", certificate="dmp-sign")
        self._signer.check_validity(self._clock.now())
        return self._signer

    def _load(self) -> Signer:
        try:
            certificate = x509.load_pem_x509_certificate(self._cert.read_bytes())
            key = load_pem_private_key(self._key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError):
            raise InvalidValue("dmp_sign_cert", "unreadable") from None
        return check_signer(key, certificate, at=self._clock.now())


def check_same_structure(auth_cert: Path, signer: Signer) -> None:
    """Raise InvalidValue unless the TLS certificate was issued to the structure of the seal."""
    try:
        certificate = x509.load_pem_x509_certificate(auth_cert.read_bytes())
    except (OSError, ValueError):
        raise InvalidValue("dmp_auth_cert", "unreadable") from None
    if structure_of(certificate) != signer.structure:
        raise InvalidValue("dmp_auth_cert", "issued to another structure than the seal")
