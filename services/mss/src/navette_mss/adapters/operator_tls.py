"""TLS to the operator: our certificate, IGC-Santé chain, the suites that MSSanté allows (RIS.MSS.01 to .05)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from navette_chassis.tls import FileWatch, TlsFiles

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
        """Context for one connection. Raises `OSError` when the files cannot be used."""
        if self._context is None or self._watch.changed():
            self._context = self._make()
            self._watch.accept()
        return self._context

    def _make(self) -> ssl.SSLContext:
        context = self.files.client_context()
        context.set_ciphers(":".join(TLS_12_SUITES))
        if self.tls_12_only:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context
