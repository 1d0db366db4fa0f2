"""Which report came of which document of another system."""

from __future__ import annotations

from dataclasses import dataclass

from navette_chassis import UnitOfWork

DOCUMENTS = "intake_documents"


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """One document as its sender names it."""

    token: str
    report_id: str
    message_id: str
    """The last message that brought it."""
    digest: str
    """Recognises the same content."""
    superseded: bool = False
    """Whether its sender replaced it by another one."""


class DocumentBook:
    """Documents inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._documents = uow.collection(DOCUMENTS)

    async def find(self, token: str) -> KnownDocument | None:
        """The document of that name."""
        row = await self._documents.find_one({"_id": token})
        if row is None:
            return None
        return KnownDocument(row["_id"], row["report_id"], row["message_id"], row["digest"], row["superseded"])

    async def put(self, one: KnownDocument) -> None:
        """Remember a document, or its new state."""
        row = {
            "_id": one.token,
            "report_id": one.report_id,
            "message_id": one.message_id,
            "digest": one.digest,
            "superseded": one.superseded,
        }
        await self._documents.replace_one({"_id": one.token}, row, upsert=True)
