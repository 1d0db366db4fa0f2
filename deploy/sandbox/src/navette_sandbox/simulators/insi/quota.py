"""A limit of calls in a time, set by ``POST /state/quota``. What the real limits are is not public."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta


class Quota:
    """No limit until one is set."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._calls = 0
        self._within = timedelta(0)
        self._made: deque[datetime] = deque()

    def set(self, command: object) -> None:
        """`{"calls": N, "seconds": S}`; `{"calls": 0}` lifts the limit. Raises ValueError."""
        if not isinstance(command, dict) or set(command) - {"calls", "seconds"}:
            raise ValueError("quota: calls and seconds")
        calls, seconds = command.get("calls", 0), command.get("seconds", 60)
        if not isinstance(calls, int) or calls < 0 or not isinstance(seconds, int | float) or seconds <= 0:
            raise ValueError("quota: calls >= 0 and seconds > 0")
        self._calls, self._within = calls, timedelta(seconds=seconds)
        self._made.clear()

    def spent(self) -> bool:
        """Count one call; True when it is one too many."""
        if self._calls == 0:
            return False
        now = self._now()
        while self._made and now - self._made[0] >= self._within:
            self._made.popleft()
        if len(self._made) >= self._calls:
            return True
        self._made.append(now)
        return False
