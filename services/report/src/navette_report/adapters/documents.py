"""PDF and CDA in GridFS, written in the same transaction as the state that names them.

The files follow the GridFS layout and are read by any GridFS reader, but they are written through the unit
of work: a composition that is not committed leaves nothing behind, and one that is repeated writes once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gridfs.asynchronous import AsyncGridFSBucket
from gridfs.errors import CorruptGridFile
from navette_chassis import UnitOfWork
from pymongo.asynchronous.database import AsyncDatabase

BUCKET = "documents"
FILES, CHUNKS = f"{BUCKET}.files", f"{BUCKET}.chunks"
CHUNK_BYTES = 255 * 1024
"""Chunk size of GridFS."""


class Form(StrEnum):
    """The two files of an edition, and a document as another system sent it."""

    CDA = "cda"
    PDF = "pdf"
    RECEIVED = "received"


MEDIA_TYPE = {Form.CDA: "text/xml", Form.PDF: "application/pdf", Form.RECEIVED: "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What is known of a stored file before reading it."""

    document_id: str
    report_id: str
    site_id: str
    sha256: str
    size: int


async def store(uow: UnitOfWork, document_id: str, form: Form, content: bytes, *, report_id: str, site_id: str) -> str:
    """Write one file; returns its SHA-256 in hexadecimal."""
    digest = hashlib.sha256(content).hexdigest()
    file_id = _file_id(document_id, form)
    chunks = [{"files_id": file_id, "n": n, "data": part} for n, part in enumerate(_parts(content))]
    await uow.collection(CHUNKS).insert_many(chunks)
    await uow.collection(FILES).insert_one(
        {
            "_id": file_id,
            "length": len(content),
            "chunkSize": CHUNK_BYTES,
            "uploadDate": uow.now,
            "filename": file_id,
            "metadata": {
                "document_id": document_id,
                "report_id": report_id,
                "site_id": site_id,
                "sha256": digest,
                "media_type": MEDIA_TYPE[form],
            },
        }
    )
    return digest


async def describe(database: AsyncDatabase[dict[str, Any]], document_id: str, form: Form) -> StoredDocument | None:
    """Facts of a stored file, None when there is none."""
    row = await database[FILES].find_one({"_id": _file_id(document_id, form)})
    if row is None:
        return None
    facts = row["metadata"]
    return StoredDocument(document_id, facts["report_id"], facts["site_id"], facts["sha256"], row["length"])


async def read(database: AsyncDatabase[dict[str, Any]], document_id: str, form: Form) -> bytes:
    """Content of a stored file. Raises gridfs.NoFile when there is none."""
    bucket = AsyncGridFSBucket(database, bucket_name=BUCKET)
    async with await bucket.open_download_stream(_file_id(document_id, form)) as stream:
        return bytes(await stream.read())


async def content_of(database: AsyncDatabase[dict[str, Any]], found: StoredDocument, form: Form) -> bytes:
    """Content of a file that was described, by one query. Raises gridfs.CorruptGridFile when it is not whole."""
    query = {"files_id": _file_id(found.document_id, form)}
    chunks = await database[CHUNKS].find(query).sort("n", 1).to_list()
    content = b"".join(bytes(one["data"]) for one in chunks)
    if len(content) != found.size:
        raise CorruptGridFile("chunks are missing")
    return content


def _file_id(document_id: str, form: Form) -> str:
    return f"{document_id}.{form.value}"


def _parts(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
