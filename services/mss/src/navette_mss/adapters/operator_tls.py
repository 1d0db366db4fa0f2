"""TLS to the operator: our certificate, IGC-Santé chain, the suites that MSSanté allows (RIS.MSS.01 to .05)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import structlog
from navette_chassis.tls import FileWatch, TlsFiles

log = structlog.get_logger("navette.mss.tls")

TLS_12_SUITES = (
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA256",
)
"""0xC030, 0xC02F, 0xC028, 0xC027 (spec/mss.md §2.2)."""


@dataclass
class OperatorTls:
    """Makes client contexts; a renewed certificate counts at the next connection."""

    files: TlsFiles
    tls_12_only: bool = False
    _context: ssl.SSLContext | None = None
    _watch: FileWatch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = FileWatch(self.files.paths)

    def context(self) -> ssl.SSLContext:
        """Context for one connection; a half-written pair keeps the old one in use.

        Raises `OSError` when no usable files were ever read.
        """
        if self._context is None:
            self._context = self._make()
        elif self._watch.changed():
            self._renew()
        return self._context

    def _renew(self) -> None:
        try:
            self._context = self._make()
        except OSError:
            if self._watch.refuse():
                log.warning("tls.reload_failed", certificate=self.files.name)
        else:
            self._watch.accept()
            log.info("tls.reloaded", certificate=self.files.name)

    def _make(self) -> ssl.SSLContext:
        context = self.files.client_context()
        context.set_ciphers(":".join(TLS_12_SUITES))
        if self.tls_12_only:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context
