"""CloudEvents 1.0 on Kafka, binary content mode: attributes in `ce_*` headers, the body is the JSON of the event.

Source: CloudEvents specification 1.0.2, Kafka protocol binding 1.0.2; extensions `sequence`, `correlationid`,
`causationid`. `traceparent` is the plain W3C header, as Kafka instrumentations write it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from navette_contracts.ids import is_uuid7

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"

_MAX_HEADER_BYTES = 512
_TEXT = re.compile(r"[\x21-\x7e]{1,256}")
_TYPE = re.compile(r"[a-z][a-z0-9_.]{0,100}\.v[1-9]\d?")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_SEQUENCE = re.compile(r"\d{1,20}")
_SEQUENCE_DIGITS = 20  # zero-padded: the `sequence` extension compares as text
_MAX_SEQUENCE = 2**63 - 1  # what BSON holds


class EnvelopeError(Exception):
    """A message is not one of our CloudEvents. Names the attribute and the rule, never the value."""


@dataclass(frozen=True)
class Envelope:
    """The CloudEvents attributes of one message."""

    id: str
    """UUIDv7 text; the identity of the event for deduplication."""
    type: str
    source: str
    """URI reference of the producer, e.g. `/navette/report`."""
    time: datetime
    subject: str
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None


def encode(envelope: Envelope, body: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return the Kafka headers and value of an event; EnvelopeError when an attribute breaks its rule."""
    if not is_uuid7(envelope.id):
        raise EnvelopeError("id: must be a UUIDv7")
    if envelope.time.tzinfo is None:
        raise EnvelopeError("time: must be aware")
    if envelope.sequence is not None and envelope.sequence < 0:
        raise EnvelopeError("sequence: must not be negative")
    _require(_TYPE, envelope.type, "type")
    _require(_TEXT, envelope.source, "source")
    _require(_TEXT, envelope.subject, "subject")
    attributes: dict[str, str] = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": envelope.id,
        "ce_type": envelope.type,
        "ce_source": envelope.source,
        "ce_time": envelope.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_subject": envelope.subject,
        "content-type": CONTENT_TYPE,
    }
    if envelope.sequence is not None:
        attributes["ce_sequence"] = str(envelope.sequence).zfill(_SEQUENCE_DIGITS)
    if envelope.correlation_id is not None:
        attributes["ce_correlationid"] = _require(_TEXT, envelope.correlation_id, "correlationid")
    if envelope.causation_id is not None:
        attributes["ce_causationid"] = _require(_TEXT, envelope.causation_id, "causationid")
    if envelope.traceparent is not None:
        attributes["traceparent"] = _require(_TRACEPARENT, envelope.traceparent, "traceparent")
    return [(name, value.encode("ascii")) for name, value in attributes.items()], body


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> tuple[Envelope, bytes]:
    """Read headers and value of a Kafka message; EnvelopeError when it is not one of our events.

    Unknown headers are ignored; a malformed `traceparent` is dropped, since it only serves tracing.
    """
    if not value:
        raise EnvelopeError("body: missing")
    found = _attributes(headers)
    if found.get("ce_specversion") != SPEC_VERSION:
        raise EnvelopeError("specversion: must be 1.0")
    if found.get("content-type", CONTENT_TYPE).split(";")[0].strip().lower() != CONTENT_TYPE:
        raise EnvelopeError("content-type: must be application/json")
    traceparent = found.get("traceparent")
    return Envelope(
        id=_required(_TEXT, found, "id"),
        type=_required(_TYPE, found, "type"),
        source=_required(_TEXT, found, "source"),
        time=_time(_required(_TEXT, found, "time")),
        subject=_required(_TEXT, found, "subject"),
        sequence=_sequence(_optional(_SEQUENCE, found, "sequence")),
        correlation_id=_optional(_TEXT, found, "correlationid"),
        causation_id=_optional(_TEXT, found, "causationid"),
        traceparent=traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None,
    ), value


def _attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in headers:
        key = name.lower()
        if not (key.startswith("ce_") or key in {"content-type", "traceparent"}):
            continue
        try:
            text = bytes(raw)[: _MAX_HEADER_BYTES + 1].decode("ascii")
        except (UnicodeDecodeError, TypeError):
            raise EnvelopeError("headers: must be ASCII text") from None
        if len(text) > _MAX_HEADER_BYTES:
            raise EnvelopeError("headers: longer than 512 bytes")
        if key in found and found[key] != text and key.startswith("ce_"):
            raise EnvelopeError("headers: an attribute is given twice")
        found.setdefault(key, text)
    return found


def _require(rule: re.Pattern[str], value: str, name: str) -> str:
    if not rule.fullmatch(value):
        raise EnvelopeError(f"{name}: malformed")
    return value


def _required(rule: re.Pattern[str], found: dict[str, str], name: str) -> str:
    value = found.get(f"ce_{name}")
    if value is None:
        raise EnvelopeError(f"{name}: missing")
    return _require(rule, value, name)


def _optional(rule: re.Pattern[str], found: dict[str, str], name: str) -> str | None:
    value = found.get(f"ce_{name}")
    return None if value is None else _require(rule, value, name)


def _sequence(text: str | None) -> int | None:
    if text is None:
        return None
    if int(text) > _MAX_SEQUENCE:
        raise EnvelopeError("sequence: must fit 64 bits")
    return int(text)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise EnvelopeError("time: must be aware")
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise EnvelopeError("time: malformed") from None
    return moment
