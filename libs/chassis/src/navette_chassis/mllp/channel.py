"""The delivery channel of one MLLP destination (spec/hl7v2.md §7)."""

from __future__ import annotations

from datetime import timedelta

from navette_chassis.deliveries.model import Channel
from navette_chassis.deliveries.policy import BreakerPolicy, RetryPolicy

_CAP = timedelta(hours=1)
_ASK = timedelta(seconds=5)


def message_channel(
    name: str, *, answer_seconds: float, retry_first_seconds: float, probe_seconds: float | None = None
) -> Channel:
    """One connection and one message in flight, since the order of messages is the receiver's too.

    After an AR: the first delay, then four times as long each time up to an hour (1, 4, 16, 60 minutes).
    """
    first = timedelta(seconds=retry_first_seconds)
    return Channel(
        name,
        endpoint=name,
        max_in_flight=1,
        attempt_timeout_seconds=2 * answer_seconds + 30,
        retry=RetryPolicy(first=first, factor=4.0, cap=max(_CAP, first), query_first=min(_ASK, first)),
        breaker=BreakerPolicy() if probe_seconds is None else BreakerPolicy(probe_after_seconds=probe_seconds),
    )
