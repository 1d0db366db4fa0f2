"""The only source of time: passed in, so that 72 hours can pass in a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present as an aware UTC datetime."""

    def now(self) -> datetime:
        """The present, UTC, truncated to milliseconds (what MongoDB stores)."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present, UTC, truncated to milliseconds (what MongoDB stores)."""
        return to_millis(datetime.now(UTC))


class ManualClock:
    """A clock a test moves by hand; never moves on its own."""

    def __init__(self, start: datetime) -> None:
        self._now = to_millis(start)

    def now(self) -> datetime:
        """The instant last set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward by a duration."""
        self._now = to_millis(self._now + by)


def to_millis(moment: datetime) -> datetime:
    """Truncate to milliseconds, the precision of a BSON date, so that what is read equals what was written.

    Raises ``ValueError`` on a naive datetime.
    """
    if moment.tzinfo is None:
        message = "a datetime without time zone is refused"
        raise ValueError(message)
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
