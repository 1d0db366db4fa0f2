"""One line per period for what repeats: a broker that is gone makes its client say so hundreds of times a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

#: Least time between two lines about the same thing, seconds.
PERIOD = 60.0


class Recurrence:
    """Lets the first of a kind through, then one per period with the number of those held back before it."""

    def __init__(self, period: float = PERIOD, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._monotonic = monotonic
        self._told: dict[Hashable, tuple[float, int]] = {}

    def note(self, kind: Hashable) -> int | None:
        """Note one more: None to hold it back, else how many were held back since the last that was told."""
        now = self._monotonic()
        told_at, held_back = self._told.get(kind, (None, 0))
        if told_at is not None and now - told_at < self._period:
            self._told[kind] = (told_at, held_back + 1)
            return None
        self._told[kind] = (now, 0)
        return held_back
