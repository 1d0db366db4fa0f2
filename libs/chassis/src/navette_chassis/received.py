"""What a handler is given: one decoded event and the facts of its envelope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from navette_contracts.events import Event

E_co = TypeVar("E_co", bound="Event", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[E_co]):
    """One event as it came, already decoded and checked against its contract.

    ``id`` is the CloudEvents id (UUIDv7 text): the same event delivered twice has the same id, and a handler
    sees it once. ``time`` is when the producer emitted it (aware, UTC). ``sequence`` orders the events of one
    ``subject``. ``correlation_id`` follows a report from its signature to its last receipt; ``causation_id``
    is the id of the event that led to this one.
    """

    event: E_co
    id: str
    time: datetime
    subject: str
    sequence: int | None
    correlation_id: str
    causation_id: str | None
