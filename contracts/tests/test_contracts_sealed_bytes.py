"""Bytes at rest: sealed in one piece, opened by any key of the keyring, never when altered."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.sealed import Keyring, SealError, UnknownKeyError
from navette_contracts.sealed_bytes import open_bytes, seal_bytes


def keyring(current: str, *names: str) -> Keyring:
    keys = [
        {"kty": "oct", "kid": name, "k": base64.urlsafe_b64encode(name.encode().ljust(32, b"0")).decode().rstrip("=")}
        for name in names
    ]
    return Keyring.from_json(json.dumps({"current": current, "keys": keys}))


@given(st.binary(max_size=5000))
def test_what_was_sealed_is_opened_and_never_shown(data: bytes) -> None:
    keys = keyring("k1", "k1")
    sealed = seal_bytes(data, keys)
    assert open_bytes(sealed, keys) == data
    assert len(sealed) <= len(data) + 48
    assert len(data) < 8 or data not in sealed


def test_the_same_bytes_are_sealed_differently_each_time() -> None:
    keys = keyring("k1", "k1")
    assert seal_bytes(b"x" * 40, keys) != seal_bytes(b"x" * 40, keys)


def test_a_rotated_key_still_opens_what_it_sealed() -> None:
    old = seal_bytes(b"before", keyring("k1", "k1"))
    rotated = keyring("k2", "k1", "k2")
    assert open_bytes(old, rotated) == b"before"
    with pytest.raises(UnknownKeyError):
        open_bytes(seal_bytes(b"after", rotated), keyring("k1", "k1"))


@pytest.mark.parametrize("place", [0, 4, 5, 9, 20, -1])
def test_an_altered_byte_is_found_wherever_it_is(place: int) -> None:
    keys = keyring("k1", "k1")
    sealed = bytearray(seal_bytes(b"a report", keys))
    sealed[place] ^= 1
    with pytest.raises(SealError):
        open_bytes(bytes(sealed), keys)


@pytest.mark.parametrize("junk", [b"", b"NSB1", b"NSB1\x05k", b"x" * 60])
def test_what_is_not_sealed_is_refused(junk: bytes) -> None:
    with pytest.raises(SealError):
        open_bytes(junk, keyring("k1", "k1"))
