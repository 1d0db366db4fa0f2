"""What a message says of its report: to file, a correction or a cancellation; final or not (tables 0085, 0123, 0271).

It stands in OBX-11 of each part that bears text, in OBR-25 of each request and, for an MDM, in TXA-17. They may
disagree, and the most careful reading counts: a part that is not final makes the report preliminary whatever the
others say, one that is corrected makes it a correction, and it is cancelled when every part, or every request that
says something, is. A single line deleted among others is a line less (`bodies.py`).
"""

from __future__ import annotations

from navette_documents.hl7v2 import Message, Segment

from navette_report.domain.intake.bodies import bearing_text
from navette_report.domain.intake.claims import Doing

_GONE = frozenset({"D", "X", "W"})
_CORRECTED = frozenset({"C"})
_UNFINISHED = frozenset({"P", "R", "S", "I", "O", "A"})
"""Preliminary, not verified, partial or not begun."""
_NOT_FINAL = frozenset({"DI", "DO", "IN", "PA", "IP"})
_AUTHENTICATED = frozenset({"LA", "AU"})


def doing_of(message: Message) -> Doing:
    """What the sender wants done (spec/hl7v2.md §4.3, §5.1)."""
    orc = message.get("ORC")
    parts, requests = _of_parts(message), _of_requests(message)
    if _all_gone(parts) or _all_gone(requests) or (orc is not None and orc.value(1).upper() == "CA"):
        return Doing.CANCEL
    if message.event == "T10" or _CORRECTED & {*parts, *requests}:
        return Doing.CORRECT
    return Doing.FILE


def is_final(message: Message) -> bool:
    """Whether nothing in the message says that another one will follow."""
    return not (_UNFINISHED & {*_of_parts(message), *_of_requests(message)} or _completion(message) in _NOT_FINAL)


def is_authenticated(message: Message) -> bool:
    """Whether the sender says that somebody validated it there."""
    return _completion(message) in _AUTHENTICATED


def _of_parts(message: Message) -> list[str]:
    return _said(bearing_text(message) or message.all("OBX")[:1], 11)


def _of_requests(message: Message) -> list[str]:
    return _said(message.all("OBR"), 25)


def _said(segments: list[Segment], field: int) -> list[str]:
    return [told for one in segments if (told := one.value(field).upper())]


def _all_gone(told: list[str]) -> bool:
    return bool(told) and _GONE.issuperset(told)


def _completion(message: Message) -> str:
    txa = message.get("TXA")
    return "" if txa is None else txa.value(17).upper()
