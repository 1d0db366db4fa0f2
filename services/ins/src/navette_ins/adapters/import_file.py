"""The file of an import, read line by line: it may be larger than the memory, and no line of it can stop the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO

from navette_ins.domain.import_lines import MAX_LINE, Format, Line, LineReader

_BLOCK = 1 << 20


def format_of(path: Path) -> Format | None:
    """By the name: `.csv`, `.jsonl` or `.ndjson`; None for another."""
    formats: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    return formats.get(path.suffix.lower())


def fingerprint(path: Path, site_id: str) -> str:
    """The id of an import: the same content for the same site is the same import."""
    digest = hashlib.sha256(f"{site_id}\x00".encode())
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:32]


def read_lines(path: Path, form: Format, *, after: int, today: date) -> Iterator[Line]:
    """The lines that come after line `after`, blank ones left out. Raises HeaderRefused, OSError.

    UTF-8, with or without a mark at its beginning. A byte that is none becomes a character that no name has.
    """
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        lines = enumerate(_texts(file), start=1)
        reader = LineReader((next(lines, (1, ""))[1] or "") if form == "csv" else None, today=today)
        for number, text in lines:
            if number > after and text != "":
                yield reader.read(number, text)


def _texts(file: IO[str]) -> Iterator[str | None]:
    """Each line without its end; None for one that is too long."""
    while text := file.readline(MAX_LINE + 1):
        if len(text) > MAX_LINE and not text.endswith("\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith("\n"):
                pass
            yield None
        else:
            yield text.rstrip("\r\n")
