"""Kinds of fields of a report: printable lines and prose, identifiers; errors never show a value."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

from navette_documents.identifiers import parse_oid
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from navette_report.domain.repertoire import clean, is_printable

_Date = TypeVar("_Date", bound=date)
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


def _line(value: str) -> str:
    value = " ".join(clean(value).split(" ")).strip()
    if not value:
        raise ValueError("empty")
    if not is_printable(value):
        raise ValueError("unprintable_character")
    return value


def _prose(value: str) -> str:
    value = clean(value).strip()
    if not is_printable(value, lines=True):
        raise ValueError("unprintable_character")
    return value


def is_within_reach(value: date) -> bool:
    """Whether a day or moment is one of reports, which calendars and the database can count from."""
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def _within_reach(value: _Date) -> _Date:
    if not is_within_reach(value):
        raise ValueError("date_out_of_range")
    return value


Day = Annotated[date, AfterValidator(_within_reach)]
"""A day people ask for."""
Moment = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""An instant of an examination, aware."""
Line = Annotated[str, Field(max_length=200), AfterValidator(_line)]
"""One line of printable text."""
Prose = Annotated[str, Field(max_length=60_000), AfterValidator(_prose)]
"""Paragraphs: lines; an empty line separates, "- " opens an item of a list."""
Identifier = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")]
"""Identifier given by another system (accession number, order number): visible ASCII, at most 64."""
StudyUid = Annotated[str, AfterValidator(lambda value: parse_oid(value, field="study_instance_uid"))]
"""Study Instance UID."""
RecipientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]


class Strict(BaseModel):
    """A frozen part of a report: unknown fields refused, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
