"""Named steps between which a process may die, observable from outside.

Nothing happens at a step in production. The crash tests register an observer that kills the process there,
which shows that no order of death loses an event or shows one twice.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """The moments that matter for durability."""

    BEFORE_COMMIT = "before_commit"
    """Everything of the unit of work is written, the transaction is not committed."""
    AFTER_COMMIT = "after_commit"
    """The transaction is committed; the offset of the message is not."""
    AFTER_PUBLISH = "after_publish"
    """The broker acknowledged an event; its outbox row still exists."""
    AFTER_ATTEMPT = "after_attempt"
    """The other side accepted a delivery; nothing of it is written yet."""
    BEFORE_DEAD_LETTER_OFFSET = "before_dead_letter_offset"
    """The dead letter is written; the offset of the poison message is not committed."""


Observer = Callable[[Step], None]
_observers: list[Observer] = []


def observe(observer: Observer) -> None:
    """Call ``observer`` at every step from now on."""
    _observers.append(observer)


def reached(step: Step) -> None:
    """Say that a step is reached."""
    for observer in _observers:
        observer(step)
