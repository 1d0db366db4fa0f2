"""Identifiers of events and rows: UUIDv7 (RFC 9562 §5.7), so that they sort in the order they were made."""

from __future__ import annotations

import secrets
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """A new UUIDv7 as text; strictly increasing within the process, even inside one millisecond.

    48 bits of Unix milliseconds, 12 + 6 bits of counter, 56 random bits.
    """
    global _last  # noqa: PLW0603 - the monotonic state of the process, guarded by the lock
    with _lock:
        tick = (time.time_ns() // 1_000_000) << 18
        _last = max(tick, _last + 1)
        tick = _last
    millis, counter = tick >> 18, tick & 0x3FFFF
    value = (millis & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= (counter >> 6) << 64
    value |= 0b10 << 62
    value |= (counter & 0x3F) << 56
    value |= secrets.randbits(56)
    return str(uuid.UUID(int=value))
