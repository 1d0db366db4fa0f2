"""Frames out of bytes, without I/O: what is well formed, what is refused, and how the stream goes on after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

VT = 0x0B
FS = 0x1C
CR = 0x0D
_END = bytes((FS, CR))
_IGNORED_BETWEEN = frozenset((CR, 0x0A))
#: Bytes of a refused piece that are kept as evidence.
EVIDENCE = 4096


class Refusal(StrEnum):
    """Why a piece of the stream is no message."""

    OUTSIDE = "outside_frame"
    """Bytes between frames."""
    TOO_LARGE = "too_large"
    RESTARTED = "restarted"
    """A new frame began before the last one ended."""
    END_WITHOUT_CR = "end_without_cr"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    """The connection ended inside a frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it stood between VT and FS CR."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A piece that is refused; `evidence` are its first bytes, `size` all it had."""

    why: Refusal
    size: int
    evidence: bytes = field(repr=False, default=b"")


def frame(data: bytes) -> bytes:
    """The bytes on the wire of a message. Raises ValueError when it holds a framing byte."""
    if VT in data or FS in data:
        message = "an HL7 message holds no VT and no FS"
        raise ValueError(message)
    return bytes((VT,)) + data + _END


class FrameDecoder:
    """Feed it what arrives; it holds at most `max_bytes` of a message and never fails."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._inside = False
        self._searched = 0
        self._skipped = 0
        self._evidence = b""
        self._too_large = False

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    @property
    def unframed(self) -> int:
        """Bytes refused since the last good frame: a peer that only sends those speaks no MLLP."""
        return self._skipped

    def feed(self, data: bytes) -> Iterator[Frame | Malformed]:
        """What is complete now."""
        self._buffer += data
        while True:
            found = self._in_frame() if self._inside else self._between()
            if found is None:
                return
            if isinstance(found, (Frame, Malformed)):
                yield found

    def end(self) -> Malformed | None:
        """What the end of the connection cuts off."""
        size = len(self._buffer) + (self._skipped if self._too_large else 0)
        if not self._inside and not self._evidence:
            return None
        why = Refusal.TRUNCATED if self._inside else Refusal.OUTSIDE
        evidence = bytes(self._buffer[:EVIDENCE]) if self._inside else self._evidence
        return Malformed(why, size, evidence)

    def _between(self) -> Malformed | bool | None:
        """Pass over what precedes a frame; line ends are common there and harmless."""
        start = self._buffer.find(VT)
        piece = self._buffer[: start if start >= 0 else len(self._buffer)]
        noise = any(one not in _IGNORED_BETWEEN for one in piece)
        if noise:
            self._evidence = (self._evidence + bytes(piece))[:EVIDENCE]
            self._skipped += len(piece)
        if start < 0:
            self._buffer.clear()
            return None
        del self._buffer[: start + 1]
        self._inside, self._searched = True, 0
        if not self._evidence:
            return True
        found = Malformed(Refusal.OUTSIDE, self._skipped, self._evidence)
        self._evidence = b""
        return found

    def _in_frame(self) -> Frame | Malformed | None:
        end, restart = self._buffer.find(FS, self._searched), self._buffer.find(VT, self._searched)
        if restart >= 0 and (end < 0 or restart < end):
            return self._close(restart, restart + 1, Refusal.RESTARTED, still_inside=True)
        if end < 0 or end + 1 == len(self._buffer):
            self._shed(len(self._buffer) if end < 0 else end)
            return None
        if self._buffer[end + 1] != CR:
            return self._close(end, end + 1, Refusal.END_WITHOUT_CR)
        return self._close(end, end + 2, Refusal.EMPTY if end == 0 else None)

    def _shed(self, unfinished: int) -> None:
        """Forget what is already too large: only its end still matters."""
        self._searched = unfinished
        if unfinished > self._max or self._too_large:
            if not self._too_large:
                self._evidence = bytes(self._buffer[:EVIDENCE])
            self._too_large = True
            self._skipped += unfinished
            del self._buffer[:unfinished]
            self._searched = 0

    def _close(self, end: int, resume: int, why: Refusal | None, *, still_inside: bool = False) -> Frame | Malformed:
        too_large = self._too_large or end > self._max
        evidence = self._evidence or bytes(self._buffer[:EVIDENCE])
        size = end + (self._skipped if self._too_large else 0)
        data = b"" if too_large or why else bytes(self._buffer[:end])
        del self._buffer[:resume]
        self._inside, self._searched, self._too_large, self._evidence = still_inside, 0, False, b""
        if too_large or why:
            self._skipped += end
            return Malformed(Refusal.TOO_LARGE if too_large else why or Refusal.EMPTY, size, evidence)
        self._skipped = 0
        return Frame(data)
