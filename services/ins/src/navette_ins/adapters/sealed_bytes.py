"""Bytes of any length, sealed in pieces: one sealed field holds some 48 kB at most (`navette_contracts.sealed`)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from navette_contracts.sealed import Keyring, Sealed

PIECE_BYTES = 30_000


def seal_bytes(data: bytes, keyring: Keyring) -> list[str]:
    """The pieces, in order; none for no data."""
    starts = range(0, len(data), PIECE_BYTES)
    texts = (base64.b64encode(data[start : start + PIECE_BYTES]).decode("ascii") for start in starts)
    return [Sealed.seal(text, keyring).token for text in texts]


def open_bytes(pieces: Sequence[str], keyring: Keyring) -> bytes:
    """What was sealed. Raises SealError."""
    opened = bytearray()
    for piece in pieces:
        sealed: Sealed[str] = Sealed(piece)
        opened += base64.b64decode(sealed.open(keyring, str))
    return bytes(opened)
