"""Find a value without storing it in clear: HMAC-SHA-256 under a key of its own (spec/ins.md §11)."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

KEY_BYTES = 32


class BlindIndex:
    """Equal values under one purpose have equal tokens; whoever lacks the key learns nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> BlindIndex:
        """The index of a key file. Raises ValueError when it is too short to protect anything, OSError."""
        key = path.read_bytes().strip()
        if len(key) < KEY_BYTES:
            message = f"index key: at least {KEY_BYTES} bytes"
            raise ValueError(message)
        return cls(key)

    def of(self, value: str, purpose: str) -> str:
        """The token to store and to look for."""
        return hmac.new(self._key, f"{purpose}|{value}".encode(), hashlib.sha256).hexdigest()

    def subkey(self, purpose: str) -> bytes:
        """A key for one other purpose: what is made with it never coincides with what `of` makes."""
        return hmac.new(self._key, f"subkey\x00{purpose}".encode(), hashlib.sha256).digest()
