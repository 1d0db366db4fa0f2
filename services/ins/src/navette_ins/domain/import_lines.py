"""Lines of a file of identities to import: documented columns, every rule they break, no value in what is told."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.traits import Traits, check_traits
from navette_ins.domain.wire_names import comparison_key

Format = Literal["csv", "jsonl"]

COMPULSORY: Final = ("local_id", "birth_name", "first_birth_given_name", "birth_date", "sex", "birth_place_code")
OPTIONAL: Final = (
    "birth_given_names",
    "birth_date_completed",
    "birth_date_on_document",
    "used_name",
    "used_given_name",
)
COLUMNS: Final = COMPULSORY + OPTIONAL
"""No matricule and no status: an INS comes from INSi, a check from somebody who held the document."""

MAX_LINE: Final = 16_384
"""Characters of a line; the longest person fits many times."""

_NAMES = frozenset({"birth_name", "first_birth_given_name", "birth_given_names", "used_name", "used_given_name"})
_YES, _NO = frozenset({"1", "true", "oui", "o"}), frozenset({"", "0", "false", "non", "n"})


class Line(BaseModel):
    """One line: its number in the file (the header is line 1), and the traits or what is wrong with them."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    number: int
    traits: Traits | None
    broken: tuple[RuleBroken, ...] = ()

    def __repr__(self) -> str:
        return f"Line({self.number}, …)"

    __str__ = __repr__


class HeaderRefused(ValueError):  # noqa: N818 - the header is refused
    """The first line is not a header this import knows; the text names positions and documented columns only."""


class LineReader:
    """Reads the lines of one file; `header` is the first line of a CSV file and None for JSON lines."""

    def __init__(self, header: str | None, *, today: date) -> None:
        """Raises HeaderRefused."""
        self._today = today
        self._columns: Sequence[str] | None = None
        self._separator = ";"
        if header is not None:
            self._separator = ";" if ";" in header else ","
            self._columns = _columns(header, self._separator)

    def read(self, number: int, text: str | None) -> Line:
        """One line; `text` is None when it was too long to be read."""
        try:
            values = self._values(text)
            traits = _traits(values)
        except RuleBroken as broken:
            return Line(number=number, traits=None, broken=(broken,))
        except ValidationError as error:
            fields = {str(one["loc"][0]) if one["loc"] else "line" for one in error.errors(include_input=False)}
            return Line(
                number=number, traits=None, broken=tuple(RuleBroken(field, "format") for field in sorted(fields))
            )
        return Line(number=number, traits=traits, broken=tuple(check_traits(traits, today=self._today)))

    def _values(self, text: str | None) -> Mapping[str, Any]:
        if text is None:
            raise RuleBroken("line", "too_long")
        if self._columns is None:
            return _json_values(text)
        try:
            cells = next(csv.reader([text], delimiter=self._separator, strict=True), [])
        except csv.Error:
            raise RuleBroken("line", "csv") from None
        if len(cells) != len(self._columns):
            raise RuleBroken("line", "columns")
        return {name: cell.strip() for name, cell in zip(self._columns, cells, strict=True) if cell.strip()}


def differences(known: Traits, said: Traits) -> tuple[str, ...]:
    """Fields of a line that say something else than the record; what the line leaves out is no difference."""
    return tuple(
        name for name in COLUMNS if getattr(said, name) and not _same(name, getattr(known, name), getattr(said, name))
    )


def _same(name: str, known: Any, said: Any) -> bool:
    if name in _NAMES and known is not None:
        return comparison_key(known) == comparison_key(said)
    return bool(known == said)


def _columns(header: str, separator: str) -> Sequence[str]:
    names = [one.strip().strip('"').lower() for one in header.split(separator)]
    unknown = [str(place) for place, name in enumerate(names, start=1) if name not in COLUMNS]
    if unknown:
        message = f"colonne(s) inconnue(s) en position {', '.join(unknown)} ; admises : {', '.join(COLUMNS)}"
        raise HeaderRefused(message)
    missing = [name for name in COMPULSORY if name not in names]
    if missing or len(set(names)) != len(names):
        message = f"colonne(s) manquante(s) : {', '.join(missing)}" if missing else "une colonne est répétée"
        raise HeaderRefused(message)
    return names


def _json_values(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise RuleBroken("line", "json") from None
    if not isinstance(values, dict):
        raise RuleBroken("line", "json")
    if not set(values) <= set(COLUMNS):
        raise RuleBroken("line", "unknown_field")
    return {name: value for name, value in values.items() if value not in (None, "")}


def _traits(values: Mapping[str, Any]) -> Traits:
    for name in COMPULSORY:
        if name not in values:
            raise RuleBroken(name, "missing_column")
    completed = values.get("birth_date_completed", False)
    if isinstance(completed, str):
        if completed.lower() not in _YES | _NO:
            raise RuleBroken("birth_date_completed", "format")
        completed = completed.lower() in _YES
    given_names = values.get("birth_given_names", values["first_birth_given_name"])
    return Traits.model_validate(
        dict(values) | {"birth_date_completed": completed, "birth_given_names": given_names}, strict=True
    )
