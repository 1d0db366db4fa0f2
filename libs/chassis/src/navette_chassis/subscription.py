"""What a service declares with ``Service.on``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from navette_contracts.events import Event

from navette_chassis.received import Received
from navette_chassis.unit_of_work import UnitOfWork

E = TypeVar("E", bound=Event)

Handler = Callable[[Received[E], UnitOfWork], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler: a consumer group of its own on the topic of one event."""

    service: str
    name: str
    event_class: type[Event]
    handler: Handler[Any]
    ordered: bool

    @property
    def group(self) -> str:
        """Consumer group: the offsets of this handler and of no other."""
        return f"navette-{self.service}.{self.name}"

    @property
    def topic(self) -> str:
        """Topic of the event."""
        return self.event_class.topic()
