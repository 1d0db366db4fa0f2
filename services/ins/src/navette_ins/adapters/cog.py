"""The list of communes and countries a birth place is looked up in (spec/ins.md §3): a file of the installation.

No maintained package on PyPI carries the official list offline, so the file is a setting: INSEE's own CSV, or
`data/communes.json` of npm `@etalab/decoupage-administratif`. Without one, no code is called unknown.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from navette_ins.domain.cautions import KnowsPlace

_COLUMNS = ("COM", "COG", "CODE", "code")
"""Columns of a code: INSEE's communes and countries, other lists."""


class PlacesUnusable(ValueError):  # noqa: N818 - the file is what is unusable
    """The file is no list of places this service can read."""


def any_place(_: str) -> bool:
    """Knows every code: what is used where no list is configured."""
    return True


def load_places(path: Path) -> KnowsPlace:
    """Whether a code is on the list. Raises PlacesUnusable, OSError."""
    text = path.read_text(encoding="utf-8-sig")
    codes = _from_json(text) if text.lstrip().startswith("[") else _from_csv(text)
    if not codes:
        raise PlacesUnusable("cog_file: neither a JSON array of objects with a code, nor a CSV with a code column")
    return frozenset(codes).__contains__


def _from_json(text: str) -> set[str]:
    try:
        return {str(one["code"]) for one in json.loads(text)}
    except (ValueError, TypeError, KeyError):
        return set()


def _from_csv(text: str) -> set[str]:
    separator = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=separator)
    column = next((one for one in _COLUMNS if one in (rows.fieldnames or ())), None)
    return set() if column is None else {row[column] for row in rows if row[column]}
