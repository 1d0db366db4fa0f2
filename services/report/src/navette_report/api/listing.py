"""What a list of reports may be asked for, by REST and on the page, and the link to its next part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator, Field

from navette_report.api import field_rules
from navette_report.domain.fields import Day
from navette_report.domain.lifecycle import State
from navette_report.use_cases.read_reports import Cursor, Wanted

BLANK = BeforeValidator(lambda value: value or None)
"""A form sends a field that nobody filled in as an empty text."""
_Id = Annotated[Annotated[str, Field(max_length=128)] | None, BLANK]


@dataclass(frozen=True, slots=True)
class Search:
    """What the caller looks for; None means no restriction."""

    state: State | None
    patient_id: str | None
    site_id: str | None
    examined_from: date | None
    examined_to: date | None

    def wanted(self, zone: tzinfo, worklist: str | None = None) -> Wanted:
        """The same in instants: days begin at local midnight, the last one counts."""

        def midnight(day: date) -> datetime:
            return datetime.combine(day, time(), tzinfo=zone)

        return Wanted(
            state=self.state,
            worklist=worklist,
            patient_id=self.patient_id,
            site_id=self.site_id,
            examined_from=None if self.examined_from is None else midnight(self.examined_from),
            examined_before=None if self.examined_to is None else midnight(self.examined_to + timedelta(days=1)),
        )


def _search(
    state: Annotated[State | None, BLANK] = None,
    patient_id: _Id = None,
    site_id: _Id = None,
    examined_from: Annotated[Day | None, BLANK] = None,
    examined_to: Annotated[Day | None, BLANK] = None,
) -> Search:
    return Search(state, patient_id, site_id, examined_from, examined_to)


def _after(after: Annotated[str | None, Query(max_length=160)] = None) -> Cursor | None:
    try:
        return None if after is None else Cursor.parse(after)
    except ValueError:
        raise field_rules.invalid("after", "unknown_page") from None


AfterId = Annotated[str | None, Query(alias="after", max_length=64)]
"""The same where a list is in the order of its ids."""
Searched = Annotated[Search, Depends(_search)]
After = Annotated[Cursor | None, Depends(_after)]
"""Where a page begins, as the `next` link of the one before says it."""


def next_link(request: Request, after: Cursor | str | None) -> str | None:
    """The next part of the same list, relative to the address that was asked; None at its end."""
    return None if after is None else "?" + request.url.include_query_params(after=str(after)).query


def first_link(request: Request) -> str:
    """The same list from its beginning."""
    return "?" + request.url.remove_query_params("after").query
