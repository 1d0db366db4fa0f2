"""Opaque identifiers: UUID version 7 (RFC 9562 §5.7), so that ids sort by the time they were made."""

import secrets
import time
import uuid


def uuid7(unix_milliseconds: int, random_bytes: bytes) -> uuid.UUID:
    """Build a UUIDv7 from a Unix time in milliseconds and 10 random bytes.

    Raises ValueError when the time does not fit in 48 bits or fewer than 10 bytes are given.
    """
    if not 0 <= unix_milliseconds < 1 << 48:
        raise ValueError("uuid7: the time must fit in 48 bits")
    if len(random_bytes) != 10:
        raise ValueError("uuid7: exactly 10 random bytes are needed")
    value = bytearray(unix_milliseconds.to_bytes(6, "big") + random_bytes)
    value[6] = (value[6] & 0x0F) | 0x70
    value[8] = (value[8] & 0x3F) | 0x80
    return uuid.UUID(bytes=bytes(value))


def new_id() -> str:
    """Return a new opaque id as 36-character text, from the system clock and the system's random source."""
    return str(uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10)))


def is_uuid7(text: str) -> bool:
    """Say whether the text is a UUID of version 7 in its canonical lower-case form."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return False
    return value.version == 7 and str(value) == text
