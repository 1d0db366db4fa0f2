"""HL7 timestamps: local time with offset in CDA, UTC in XDS metadata (spec/dmp.md §6.3, cda.md §4.1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from navette_documents.errors import InvalidValue

PARIS = ZoneInfo("Europe/Paris")

_TS = re.compile(r"(\d{4}(?:\d{2}){0,5})(?:\.\d+)?([+-]\d{4})?", re.ASCII)
# Number of digits -> strptime format. Year, month, day, hour, minute, second.
_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def format_local(moment: datetime, zone: tzinfo = PARIS) -> str:
    """`yyyymmddhhmmss+zzzz` in the time of `zone`, the form CDA wants.

    Raises InvalidValue for a naive datetime: its zone would be a guess.
    """
    return _aware(moment).astimezone(zone).strftime("%Y%m%d%H%M%S%z")


def format_utc(moment: datetime) -> str:
    """`yyyymmddhhmmss` in UTC, the form XDS metadata want. Raises InvalidValue for a naive datetime."""
    return _aware(moment).astimezone(UTC).strftime("%Y%m%d%H%M%S")


def format_date(day: date) -> str:
    """`yyyymmdd`."""
    return day.strftime("%Y%m%d")


def parse_ts(text: str, *, default_zone: tzinfo = PARIS) -> datetime:
    """Aware moment of an HL7 timestamp; missing parts are the first of their unit, no offset is local time.

    Raises InvalidValue (field "timestamp").
    """
    digits, offset = _split(text)
    if len(digits) == 6:
        digits += "01"
    elif len(digits) == 4:
        digits += "0101"
    try:
        naive = datetime.strptime(digits, _FORMATS[len(digits)])  # noqa: DTZ007 - the zone is set below
    except ValueError:
        raise InvalidValue("timestamp", "calendar") from None
    return naive.replace(tzinfo=_zone(offset) if offset else default_zone)


def to_utc(text: str, *, default_zone: tzinfo = PARIS) -> str:
    """The same moment in UTC with the same precision; a date without hour has no zone and stays as it is.

    Fractions of a second are dropped: XDS knows none. Raises InvalidValue (field "timestamp").
    """
    digits, _ = _split(text)
    moment = parse_ts(text, default_zone=default_zone)
    if len(digits) < 10:
        return digits
    # An offset that is not a whole hour moves the minutes: keep them rather than lose time.
    minutes_move = (moment.utcoffset() or timedelta()).total_seconds() % 3600 != 0
    precision = max(len(digits), 12 if minutes_move else 10)
    return moment.astimezone(UTC).strftime(_FORMATS[precision])


def _split(text: str) -> tuple[str, str | None]:
    match = _TS.fullmatch(text)
    if match is None:
        raise InvalidValue("timestamp", "format")
    return match.group(1), match.group(2)


def _zone(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[3:5])
    if hours > 14 or minutes > 59:
        raise InvalidValue("timestamp", "offset")
    delta = timedelta(hours=hours, minutes=minutes)
    return timezone(-delta if offset[0] == "-" else delta)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidValue("timestamp", "naive")
    return moment
