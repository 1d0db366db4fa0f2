"""The keyring of the sealed fields as a mounted file, read again when it changes."""

from __future__ import annotations

from pathlib import Path

import structlog
from navette_contracts.sealed import Keyring, KeyringError

log = structlog.get_logger("navette.keyring")


class KeyringFile:
    """A keyring that is rotated under a running service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, Keyring] | None = None
        self._refused = False

    def keys(self) -> Keyring:
        """The keys of the file as it is, or as it last was when it cannot be used (half-written, gone).

        That is told once, and once more when it can be used again. Raises ``OSError`` or ``KeyringError`` when it never
        could.
        """
        changed = self._path.stat().st_mtime_ns if self._path.exists() else 0
        if self._known is None or self._known[0] != changed:
            self._known = (changed, self._read())
        return self._known[1]

    def _read(self) -> Keyring:
        try:
            read = Keyring.from_file(self._path)
        except (OSError, KeyringError):
            if self._known is None:
                raise
            if not self._refused:
                log.warning("keys.reload_failed", resource="keyring")
            self._refused = True
            return self._known[1]
        if self._known is not None:
            log.info("keys.reloaded", resource="keyring")
        self._refused = False
        return read
