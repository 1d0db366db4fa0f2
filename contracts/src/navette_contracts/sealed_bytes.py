"""Bytes of any size at rest, readable by the services only: AES-256-GCM under a key derived from the keyring.

`Sealed` is for fields that travel; this is for what lies in a database: one piece, binary, no base64. The key is
derived (HKDF-SHA-256), so that what is made here never shares a key with the fields that travel.

Form: magic, length of `kid` (one byte), `kid`, nonce (12 bytes), ciphertext with its tag (16 bytes).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from navette_contracts.sealed import Keyring, SealError

_MAGIC = b"NSB1"
_PURPOSE = b"navette bytes at rest"
_NONCE = 12


def seal_bytes(data: bytes, keyring: Keyring) -> bytes:
    """The sealed form of `data` under the current key; some 40 bytes longer."""
    kid = keyring.current.encode()
    head = _MAGIC + bytes((len(kid),)) + kid
    nonce = os.urandom(_NONCE)
    return head + nonce + AESGCM(_key(keyring, keyring.current)).encrypt(nonce, data, head)


def open_bytes(sealed: bytes, keyring: Keyring) -> bytes:
    """What was sealed. Raises UnknownKeyError when the keyring lacks the key, SealError for anything altered."""
    start = len(_MAGIC) + 1
    if sealed[: len(_MAGIC)] != _MAGIC or len(sealed) < start:
        raise SealError("sealed bytes: not of this form")
    end = start + sealed[start - 1]
    head, nonce, content = sealed[:end], sealed[end : end + _NONCE], sealed[end + _NONCE :]
    try:
        return AESGCM(_key(keyring, head[start:].decode())).decrypt(nonce, content, head)
    except (InvalidTag, ValueError):
        raise SealError("sealed bytes: altered, or sealed with another key") from None


def _key(keyring: Keyring, kid: str) -> bytes:
    secret: bytes = keyring.key(kid).get_op_key("encrypt")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
