"""Kinds of fields of a report: printable lines and prose, identifiers; errors never show a value."""

from __future__ import annotations

from typing import Annotated

from navette_documents.identifiers import parse_oid
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from navette_report.domain.repertoire import clean, is_printable


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
