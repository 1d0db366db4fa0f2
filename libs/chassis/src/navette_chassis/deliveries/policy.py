"""When to try again, and when to stop asking an endpoint that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Jittered exponential delays, then giving up.

    The defaults are DESIGN §4: 30 s doubling to 1 h, given up 72 h after the first attempt.
    ``query_first`` is the first delay after an ambiguous answer: asking is cheap, and until then a report
    is neither sent nor unsent.
    """

    first: timedelta = timedelta(seconds=30)
    factor: float = 2.0
    cap: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(hours=72)
    jitter: float = 0.2
    query_first: timedelta = timedelta(seconds=5)

    def __post_init__(self) -> None:
        if self.factor < 1 or not 0 <= self.jitter < 1 or self.first > self.cap:
            message = "retry policy: factor >= 1, 0 <= jitter < 1, first <= cap"
            raise ValueError(message)

    def delay(self, retry: int, uniform: Callable[[], float], *, query: bool = False) -> timedelta:
        """Delay before retry number ``retry`` (1-based); ``uniform`` gives a number in [0, 1)."""
        first = self.query_first if query else self.first
        growth: float = self.factor ** min(retry - 1, 40)
        base = min(self.cap.total_seconds(), first.total_seconds() * growth)
        spread = 1 + self.jitter * (2 * uniform() - 1)
        return timedelta(seconds=min(self.cap.total_seconds(), base * spread))


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When an endpoint counts as down, and how often one delivery is let through to see.

    ``failures`` attempts in a row that nobody answered open it. The time between probes starts at
    ``probe_after_seconds`` and grows by half up to ``probe_cap_seconds``, so that a national outage of
    hours is not hammered and one of seconds ends quickly.
    """

    failures: int = 3
    probe_after_seconds: float = 5.0
    probe_cap_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.failures < 1 or not 0 < self.probe_after_seconds <= self.probe_cap_seconds:
            message = "breaker policy: failures >= 1, 0 < probe_after_seconds <= probe_cap_seconds"
            raise ValueError(message)

    def probe_delay(self, probes: int) -> timedelta:
        """Time until the next probe once ``probes`` of them found nobody."""
        seconds = self.probe_after_seconds * 1.5 ** min(probes, 40)
        return timedelta(seconds=min(self.probe_cap_seconds, seconds))
