"""Dead letters: the message as it came, on ``<topic>.dlq``, with headers that say why and where from.

The headers carry codes and positions, never the text of an exception. Too many dead letters mean that the
consumer is wrong and not the data: then it stops (anchors.md §1.9).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from navette_contracts.catalogue import DLQ_SUFFIX

from navette_chassis.decoder import Reason
from navette_chassis.relay import Publisher

#: Prefix of the headers a dead letter gains; those the message came with are kept.
PREFIX: Final = "dlq_"

#: Consecutive poison messages after which a consumer stops.
MAX_IN_A_ROW: Final = 20
#: Messages over which the ratio is taken, and the ratio above which a consumer stops.
WINDOW: Final = 400
MAX_RATIO: Final = 0.05


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A poison message and where it was found."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    reason: Reason
    group: str
    first_seen: datetime
    trace_id: str

    @property
    def target(self) -> str:
        """Topic of the dead letters of the original topic."""
        return self.topic + DLQ_SUFFIX

    def all_headers(self) -> list[tuple[str, bytes]]:
        """The original headers and the diagnosis."""
        diagnosis = {
            "reason": self.reason.value,
            "original_topic": self.topic,
            "original_partition": str(self.partition),
            "original_offset": str(self.offset),
            "consumer_group": self.group,
            "first_seen": self.first_seen.isoformat(),
            "trace_id": self.trace_id,
        }
        kept = [(name, bytes(content)) for name, content in self.headers if not name.startswith(PREFIX)]
        return kept + [(PREFIX + name, text.encode()) for name, text in diagnosis.items()]


async def publish_dead_letter(publisher: Publisher, letter: DeadLetter) -> None:
    """Publish it; ``PublishError`` when the broker did not acknowledge."""
    await publisher.publish(letter.target, letter.key, letter.value, letter.all_headers())


class PoisonLimit:
    """Counts poison among the messages of one consumer in this process."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._poison = 0
        self._in_a_row = 0

    def note(self, *, poison: bool) -> None:
        """Count one message."""
        if len(self._recent) == WINDOW:
            self._poison -= self._recent[0]
        self._recent.append(poison)
        self._poison += poison
        self._in_a_row = self._in_a_row + 1 if poison else 0

    @property
    def exceeded(self) -> bool:
        """20 in a row, or more than 5 % of a window of 400 messages (a short history counts as a whole one)."""
        return self._in_a_row >= MAX_IN_A_ROW or self._poison > WINDOW * MAX_RATIO
