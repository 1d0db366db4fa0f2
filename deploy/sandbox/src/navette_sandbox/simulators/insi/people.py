"""The fictitious people whom the INSi double knows (simulators/data/identities.json)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FILE = Path(__file__).parent.parent / "data" / "identities.json"


@dataclass(frozen=True)
class Matricule:
    """An INS: 13 characters, two-digit key, OID that tells NIR from NIA."""

    number: str
    key: str
    oid: str


@dataclass(frozen=True)
class Person:
    """One line of the national base."""

    id: str
    birth_name: str
    given_names: str
    sex: str
    birth_date: str
    birth_place_code: str
    active: Matricule
    history: tuple[Matricule, ...]
    insured_number: str | None
    birth_rank: int

    @property
    def number(self) -> str:
        """The 13 characters of the active matricule."""
        return self.active.number


def load(path: Path) -> Sequence[Person]:
    """Read a data file. Raises KeyError or ValueError when a line is incomplete or a key is wrong."""
    rows = json.loads(path.read_text(encoding="utf-8"))["people"]
    return [_person(row) for row in rows]


def key_of(number: str) -> str:
    """The two-digit key of a 13 character matricule (spec/ins.md §9.2)."""
    digits = number.replace("2A", "19").replace("2B", "18")
    return f"{97 - int(digits) % 97:02d}"


def _person(row: dict[str, object]) -> Person:
    history = row.get("history", [])
    if not isinstance(history, list):
        raise ValueError(f"{row['id']}: history is not a list")
    return Person(
        id=str(row["id"]),
        birth_name=str(row["birth_name"]),
        given_names=str(row["given_names"]),
        sex=str(row["sex"]),
        birth_date=str(row["birth_date"]),
        birth_place_code=str(row["birth_place_code"]),
        active=_matricule(str(row["id"]), row),
        history=tuple(_matricule(str(row["id"]), entry) for entry in history),
        insured_number=str(row["insured_number"]) if "insured_number" in row else None,
        birth_rank=int(str(row.get("birth_rank", 1))),
    )


def _matricule(person: str, row: dict[str, object]) -> Matricule:
    found = Matricule(str(row["nir"]), str(row["key"]), str(row["oid"]))
    if found.key != key_of(found.number):
        raise ValueError(f"{person}: wrong key")
    return found
