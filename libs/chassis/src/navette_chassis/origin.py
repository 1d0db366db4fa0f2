"""Where the present work comes from: the ids that link what is emitted to what caused it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from navette_chassis.ids import uuid7


@dataclass(frozen=True, slots=True)
class Origin:
    """Correlation and causation of everything emitted in one unit of work."""

    correlation_id: str
    causation_id: str | None = None


_current: ContextVar[Origin | None] = ContextVar("navette_origin", default=None)


def current_origin() -> Origin:
    """The origin of the running request, message or delivery; a new correlation where there is none."""
    return _current.get() or Origin(correlation_id=uuid7())


def known_origin() -> Origin | None:
    """The origin of the running request, message or delivery; None where there is none."""
    return _current.get()


@contextmanager
def originating_from(origin: Origin) -> Iterator[None]:
    """Make ``origin`` the cause of every event emitted inside the block."""
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)
