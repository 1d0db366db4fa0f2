"""Merges in MongoDB: both records as they were, sealed, so that an error can be undone (spec/ins.md §6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict

from navette_ins.domain.identity import Identity

MERGES = "merges"


class Merge(BaseModel):
    """One merge; its contents are opened apart."""

    model_config = ConfigDict(frozen=True)

    merge_id: str
    surviving_id: str
    absorbed_id: str
    site_ids: tuple[str, ...]
    merged_revision: int
    """Revision of the survivor after the merge."""
    merged_by: str
    merged_at: datetime
    moved_venues: tuple[str, ...] = ()
    undone_by: str | None = None
    undone_at: datetime | None = None


class MergeRepository:
    """Merges inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring]) -> None:
        self._merges = uow.collection(MERGES)
        self._keyring = keyring()

    async def add(self, merge: Merge, *, survivor: Identity, absorbed: Identity) -> None:
        """Store a merge with both records as they were before it."""
        row: dict[str, Any] = {"_id": merge.merge_id, "merge": merge.model_dump()}
        row |= {"sealed_survivor": self._seal(survivor), "sealed_absorbed": self._seal(absorbed)}
        await self._merges.insert_one(row)

    async def get(self, merge_id: str) -> tuple[Merge, Identity, Identity] | None:
        """A merge, the survivor and the absorbed record before it."""
        row = await self._merges.find_one({"_id": merge_id})
        if row is None:
            return None
        merge = Merge.model_validate(row["merge"])
        return merge, self._open(row["sealed_survivor"]), self._open(row["sealed_absorbed"])

    async def save(self, merge: Merge) -> None:
        """Store what became of a merge."""
        await self._merges.update_one({"_id": merge.merge_id}, {"$set": {"merge": merge.model_dump()}})

    def _seal(self, identity: Identity) -> str:
        return Sealed.seal(identity, self._keyring).token

    def _open(self, token: str) -> Identity:
        sealed: Sealed[Identity] = Sealed(token)
        return sealed.open(self._keyring, Identity)
