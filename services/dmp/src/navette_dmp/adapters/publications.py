"""Publications in the database of the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from navette_dmp.use_cases.schedule_publication import PUBLICATIONS


class MongoPublications:
    """Reads of the collection `publications`; use cases write it through their unit of work."""

    def __init__(self, database: Callable[[], AsyncDatabase[dict[str, Any]]]) -> None:
        self._database = database

    async def status_of(self, unique_id: str) -> str | None:
        """Status of the publication of a document, None when we never had to publish it."""
        found = await self._database()[PUBLICATIONS].find_one({"_id": unique_id}, {"status": 1})
        return None if found is None else str(found["status"])

    async def of_report(self, report_id: str) -> list[dict[str, Any]]:
        """Publications of a report, first version first."""
        cursor = self._database()[PUBLICATIONS].find({"report_id": report_id}).sort([("version", 1), ("at", 1)])
        return [document async for document in cursor]
