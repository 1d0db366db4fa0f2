"""Birth dates that no calendar knows: unknown day, month or year, lunar dates (spec/ins.md §3; EXI ID 11, 12).

Written YYYY-MM-DD with 00 (0000 for a year) for what the document does not say; a lunar date may have a day up to 35
and a month over 12.
"""

from __future__ import annotations

import re
from datetime import date

from navette_ins.domain.errors import RuleBroken

OLDEST_YEAR = 1880
UNKNOWN_YEAR = "0000"

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


def calendar_date(text: str) -> date | None:
    """The day `text` stands for, None when the calendar has no such day."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def completed_date(on_document: str) -> str | None:
    """The date to record for what the document says; None when the year is unknown and must be estimated.

    Day unknown: the first of the month. Month unknown: January. Both unknown: 31 December. What a lunar date says
    and the calendar does not know counts as unknown. Raises RuleBroken for another form, or for a date that needs
    no completion.
    """
    match = _DATE.fullmatch(on_document)
    if match is None:
        raise RuleBroken("birth_date_on_document", "format")
    if calendar_date(on_document) is not None:
        raise RuleBroken("birth_date_on_document", "complete")
    year, month, day = match.groups()
    if year == UNKNOWN_YEAR:
        return None
    month_known = 1 <= int(month) <= 12
    day_known = 1 <= int(day) <= 31
    if not month_known and not day_known:
        return f"{year}-12-31"
    if not month_known:
        return f"{year}-01-{day}"
    return f"{year}-{month}-01"


def date_problems(value: str, today: date) -> list[RuleBroken]:
    """What is wrong with a recorded birth date: its form, the calendar, the future, too long ago."""
    if _DATE.fullmatch(value) is None:
        return [RuleBroken("birth_date", "format")]
    born = calendar_date(value)
    if born is None:
        return [RuleBroken("birth_date", "impossible")]
    if born > today:
        return [RuleBroken("birth_date", "future")]
    if born.year < OLDEST_YEAR:
        return [RuleBroken("birth_date", "too_old")]
    return []


def completion_problems(value: str, on_document: str | None, *, completed: bool) -> list[RuleBroken]:
    """Whether the recorded date is the one the rule makes of the document's, and says so."""
    if on_document is None:
        return []
    try:
        expected = completed_date(on_document)
    except RuleBroken as broken:
        return [broken]
    problems = [] if completed else [RuleBroken("birth_date_completed", "must_be_said")]
    if expected is not None and expected != value:
        problems.append(RuleBroken("birth_date", "completion"))
    return problems
