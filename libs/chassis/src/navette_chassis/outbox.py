"""Rows of the outbox: messages exactly as they will leave, written with the state they tell about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import Event

from navette_chassis.ids import uuid7
from navette_chassis.origin import Origin
from navette_chassis.telemetry import current_traceparent

#: Collection of the rows that wait for the broker's acknowledgement.
OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class Promise:
    """An event emitted in a unit of work that is not written yet."""

    event: Event
    subject: str
    sequence: int | None


def row_of(promise: Promise, source: str, origin: Origin, now: datetime) -> dict[str, Any]:
    """Serialise a promise: a later deployment cannot change what was promised.

    ``_id`` is the event id (UUIDv7), which is also the order in which rows leave.
    """
    event_id = uuid7()
    envelope = Envelope(
        id=event_id,
        type=promise.event.type,
        source=source,
        time=now,
        subject=promise.subject,
        sequence=promise.sequence,
        correlation_id=origin.correlation_id,
        causation_id=origin.causation_id,
        traceparent=current_traceparent(),
    )
    headers, value = encode(envelope, promise.event.model_dump_json().encode())
    return {
        "_id": event_id,
        "topic": promise.event.topic(),
        "key": promise.subject,
        "headers": [[name, content] for name, content in headers],
        "value": value,
        "created_at": now,
    }
