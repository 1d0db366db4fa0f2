"""Where an import stands, written in the same transaction as the identities it made: killed, it loses and repeats
nothing. Rejects are kept beside (line, field, rule: no value) until their file is written."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.database import AsyncDatabase

IMPORTS = "imports"
REJECTS = "import_rejects"


class Progress(BaseModel):
    """How far an import is."""

    model_config = ConfigDict(frozen=True)

    import_id: str
    site_id: str
    by: str
    started_at: datetime
    line: int = 0
    """Last line that was dealt with."""
    created: int = 0
    known: int = 0
    """Lines whose (site, IPP) has a record with the same traits."""
    rejected: int = 0
    seconds: float = 0.0
    """Time spent working, pauses for the pace included, stops left out."""
    done: bool = False

    @property
    def lines(self) -> int:
        """Lines that were dealt with."""
        return self.created + self.known + self.rejected


class OvertakenError(Exception):
    """Another process moved the same import on: this one stops, nothing was written twice."""


async def find_progress(database: AsyncDatabase[Document], import_id: str) -> Progress | None:
    """Where an import stands; None when it was never begun."""
    row = await database[IMPORTS].find_one({"_id": import_id})
    return None if row is None else Progress.model_validate(row["progress"])


async def save_progress(uow: UnitOfWork, before: Progress | None, after: Progress) -> None:
    """Move an import on. Raises OvertakenError when it does not stand where it was read."""
    imports = uow.collection(IMPORTS)
    row = {"_id": after.import_id, "line": after.line, "progress": after.model_dump()}
    if before is None:
        if await imports.find_one({"_id": after.import_id}, {"_id": 1}) is not None:
            raise OvertakenError
        await imports.insert_one(row)
        return
    done = await imports.replace_one({"_id": after.import_id, "line": before.line}, row)
    if done.matched_count != 1:
        raise OvertakenError


async def add_rejects(uow: UnitOfWork, import_id: str, rejects: Iterable[tuple[int, str, str]]) -> None:
    """Keep what was refused: (line, field, rule)."""
    rows: list[dict[str, Any]] = [
        {"_id": f"{import_id}/{line}/{place}", "import_id": import_id, "line": line, "field": field, "rule": rule}
        for place, (line, field, rule) in enumerate(rejects)
    ]
    if rows:
        await uow.collection(REJECTS).insert_many(rows)


async def write_rejects(
    database: AsyncDatabase[Document], import_id: str, path: Path, explain: Callable[[str], str]
) -> int:
    """Write the reject file, whole or not at all; returns how many lines of the import it names."""
    rows = await database[REJECTS].find({"import_id": import_id}).to_list()
    rows.sort(key=lambda row: (row["line"], row["_id"]))
    partial = path.with_name(f"{path.name}.part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("ligne", "champ", "regle", "explication"))
        writer.writerows((row["line"], row["field"], row["rule"], explain(row["rule"])) for row in rows)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return len({row["line"] for row in rows})
