"""Received documents in MongoDB: the document and what names the patient sealed, beside them what lists need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring
from navette_contracts.sealed_bytes import open_bytes, seal_bytes
from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters.intake_messages import sealed_pieces
from navette_report.adapters.patients import PATIENTS, KeyringSource
from navette_report.domain.received.model import IN_FILE, Received, Standing, Summary

DOCUMENTS = "received_documents"
CONTENTS = "received_contents"
MOST = 1000
"""Documents of one patient that a list shows at most: the last ones received."""

Row = Mapping[str, Any]


class Part(StrEnum):
    """What is kept of a document."""

    CDA = "cda"
    STYLE = "style"


class ReceivedDocuments:
    """Received documents inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: KeyringSource) -> None:
        self._documents = uow.collection(DOCUMENTS)
        self._contents = uow.collection(CONTENTS)
        self._keyring = keyring

    async def add(self, one: Received, summary: Summary, *, cda: bytes, style: bytes) -> None:
        """Store a document. Raises DuplicateKeyError when the same one was stored at the same moment."""
        keyring = self._keyring()
        sealed = seal_bytes(summary.model_dump_json().encode(), keyring)
        await self._documents.insert_one(_row(one) | {"summary": sealed})
        pieces = [
            {"_id": f"{one.document_id}.{part}.{n}", "document_id": one.document_id, "part": part, "n": n, "data": data}
            for part, content in ((Part.CDA, cda), (Part.STYLE, style))
            if content
            for n, data in enumerate(sealed_pieces(content, keyring))
        ]
        await self._contents.insert_many(pieces)

    async def save(self, one: Received) -> Received:
        """Store what became of a document."""
        await self._documents.update_one({"_id": one.document_id}, {"$set": _row(one)})
        return one

    async def get(self, document_id: str) -> tuple[Received, Summary] | None:
        """One document."""
        row = await self._documents.find_one({"_id": document_id})
        return None if row is None else _opened(row, self._keyring())

    async def named(self, domain: str, unique_ids: Iterable[str]) -> list[Received]:
        """Those with one of these ids, oldest first."""
        query = {"domain": domain, "unique_id": {"$in": list(unique_ids)}}
        return [_received(row) async for row in self._documents.find(query).sort("_id", 1)]

    async def replacing(self, domain: str, unique_id: str) -> list[Received]:
        """Those filed that say they replace the document of this id, oldest first."""
        query = {"domain": domain, "replaces": unique_id, "standing": {"$in": [*IN_FILE]}}
        return [_received(row) async for row in self._documents.find(query).sort("_id", 1)]

    async def awaiting(self, tokens: Sequence[str]) -> list[tuple[Received, Summary]]:
        """Those that wait for an identity of these tokens."""
        query = {"awaits": {"$in": list(tokens)}, "standing": Standing.TO_FILE.value}
        return [_opened(row, self._keyring()) async for row in self._documents.find(query).sort("_id", 1)]


class ReceivedReader:
    """Received documents for lists and pages, outside a unit of work."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], keyring: KeyringSource) -> None:
        self._database = database
        self._keyring = keyring

    async def get(self, document_id: str) -> tuple[Received, Summary] | None:
        """One document."""
        row = await self._database[DOCUMENTS].find_one({"_id": document_id})
        return None if row is None else _opened(row, self._keyring())

    async def content(self, document_id: str, part: Part) -> bytes:
        """The CDA or the style sheet as received, b"" for none. Raises SealError when the keyring cannot open it."""
        query = {"document_id": document_id, "part": part.value}
        rows = await self._database[CONTENTS].find(query).sort("n", 1).to_list()
        return b"".join(open_bytes(row["data"], self._keyring()) for row in rows)

    async def of_patient(self, patient_id: str) -> list[tuple[Received, Summary]]:
        """What the file of a patient holds, with that of records merged into it."""
        merged = self._database[PATIENTS].find({"merged_into": patient_id}, {"_id": 1})
        ids = [patient_id, *[row["_id"] async for row in merged]]
        query = {"patient_id": {"$in": ids}, "standing": {"$in": [*IN_FILE]}}
        rows = await self._database[DOCUMENTS].find(query).sort("_id", -1).limit(MOST).to_list()
        return [_opened(row, self._keyring()) for row in rows]

    async def to_file(
        self, domains: Iterable[str], *, after: str | None, limit: int
    ) -> tuple[list[tuple[Received, Summary]], str | None]:
        """A part of what waits for somebody, oldest first, and after which id the next one begins, None at the end."""
        query: dict[str, Any] = {"standing": Standing.TO_FILE.value, "domain": {"$in": list(domains)}}
        if after is not None:
            query["_id"] = {"$gt": after}
        rows = await self._database[DOCUMENTS].find(query).sort("_id", 1).limit(limit + 1).to_list()
        found = [_opened(row, self._keyring()) for row in rows[:limit]]
        return found, rows[limit - 1]["_id"] if len(rows) > limit else None


def _opened(row: Row, keyring: Keyring) -> tuple[Received, Summary]:
    return _received(row), Summary.model_validate_json(open_bytes(row["summary"], keyring))


def _received(row: Row) -> Received:
    return Received.model_validate(row["document"])


def _row(one: Received) -> dict[str, Any]:
    return {
        "_id": one.document_id,
        "document": one.model_dump(mode="json"),
        "domain": one.domain,
        "unique_id": one.unique_id,
        "digest": one.digest,
        "replaces": list(one.replaces),
        "patient_id": one.patient_id,
        "standing": one.standing.value,
        "awaits": list(one.awaits),
    }
