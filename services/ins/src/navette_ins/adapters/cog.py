"""The list of places a birth place is looked up in (spec/ins.md §3): an unknown code is a warning, never a refusal.

The service carries the codes of communes, present and former, made from a maintained package (`data/communes.txt`,
`tools/communes.py`). No maintained package holds the codes of countries: a birth abroad (99 and three digits) is taken
as it is, unless the installation has a list of its own with them (`NAVETTE_COG_FILE`), which then replaces this one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from navette_ins.domain.cautions import KnowsPlace

_COLUMNS = ("COM", "COG", "CODE", "code")
"""Columns of a code: INSEE's communes and countries, other lists."""
ABROAD = "99"
_HEADER = re.compile(r"# (\d+) codes, sha256 ([0-9a-f]{64})")


class PlacesUnusable(ValueError):  # noqa: N818 - the file is what is unusable
    """The file is no list of places this service can read."""


def any_place(_: str) -> bool:
    """Knows every code: what is used where no list is configured."""
    return True


def known_places() -> KnowsPlace:
    """Whether a code is, or was, that of a commune; abroad every code is taken. Raises PlacesUnusable."""
    codes = _carried()
    return lambda code: code.startswith(ABROAD) or code in codes


def load_places(path: Path) -> KnowsPlace:
    """Whether a code is on the list of the installation. Raises PlacesUnusable, OSError."""
    text = path.read_text(encoding="utf-8-sig")
    codes = _from_json(text) if text.lstrip().startswith("[") else _from_csv(text)
    if not codes:
        raise PlacesUnusable("cog_file: neither a JSON array of objects with a code, nor a CSV with a code column")
    if any(code.startswith(ABROAD) for code in codes):
        return frozenset(codes).__contains__
    return lambda code: code.startswith(ABROAD) or code in codes


@cache
def _carried() -> frozenset[str]:
    return read_codes((files("navette_ins") / "data" / "communes.txt").read_text(encoding="utf-8"))


def read_codes(text: str) -> frozenset[str]:
    """The codes of the list the service carries. Raises PlacesUnusable when it is not whole."""
    codes = sorted(code for line in text.splitlines() if not line.startswith("#") for code in _codes(line))
    said = _HEADER.search(text)
    digest = hashlib.sha256("\n".join(codes).encode()).hexdigest()
    if said is None or said.groups() != (str(len(codes)), digest):
        raise PlacesUnusable("data/communes.txt: not what tools/communes.py wrote")
    return frozenset(codes)


def _codes(line: str) -> Iterator[str]:
    department, *pieces = line.split(" ")
    for piece in pieces:
        first, _, last = piece.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{department}{number:03d}"


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
