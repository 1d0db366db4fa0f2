"""The archive of a professional's documents, written as a stream: one document in memory at a time."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters import documents
from navette_report.adapters.journeys import LINES, line_of
from navette_report.adapters.reports import REPORTS, report_of
from navette_report.domain.portability import COLUMNS, README, Exported, Request, Row, exported_of, row_of

Database = AsyncDatabase[dict[str, Any]]


_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class _Outbox(io.RawIOBase):
    """Where zipfile writes: what it wrote is taken away at once. It cannot seek, so zipfile does not try."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._chunks = b"".join(self._chunks), []
        return taken


async def documents_to_export(database: Database, request: Request) -> AsyncIterator[Exported]:
    """Editions of the versions this professional validated within the period, oldest report first."""
    query = {
        "signatures.rpps": request.rpps,
        "signatures.at": {"$gte": request.start, "$lt": request.end},
        "site_id": {"$in": sorted(request.sites)},
    }
    async for row in database[REPORTS].find(query).sort("_id", 1):
        for found in exported_of(report_of(row), request):
            yield found


async def archive(
    database: Database, request: Request, found: AsyncIterator[Exported], *, made_at: datetime
) -> AsyncIterator[bytes]:
    """The zip archive, chunk by chunk. Raises gridfs.NoFile, leaving it unfinished, when a document is missing."""
    out, rows = _Outbox(), []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("LISEZ-MOI.txt", README)
        async for one in found:
            rows.append(row_of(one, request.sites[one.report.site_id], await _lines(database, one)))
            for form, name in ((documents.Form.PDF, one.pdf_name), (documents.Form.CDA, one.cda_name)):
                content = await documents.read(database, one.edition.reference.document_id, form)
                zipped.writestr(name, content)
                yield out.take()
        zipped.writestr("index.csv", _csv(rows))
        zipped.writestr("index.json", _json(rows, request, made_at))
    yield out.take()


async def _lines(database: Database, one: Exported) -> list[Mapping[str, str]]:
    query = {"report_id": one.report.report_id, "version": one.version.number}
    lines = [line_of(row) async for row in database[LINES].find(query).sort("_id", 1)]
    return [
        {
            "canal": line.channel.value,
            "destinataire": line.label or line.recipient_id,
            "objet": line.kind.value,
            "etat": line.shown.state.value,
            "depuis": line.shown.at.isoformat(),
        }
        for line in lines
    ]


def _csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=";", lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _inert(value: object) -> object:
    """A cell that a spreadsheet shows instead of computing it: an apostrophe before what would open a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _json(rows: list[Row], request: Request, made_at: datetime) -> bytes:
    whole = {
        "professionnel_rpps": request.rpps,
        "du": request.start.isoformat(),
        "au_exclu": request.end.isoformat(),
        "etabli_le": made_at.isoformat(),
        "documents": rows,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1).encode()
