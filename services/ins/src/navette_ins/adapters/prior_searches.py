"""Prior searches in the database: candidates by blind token, and the line that each search leaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.search_tokens import CANDIDATES, SEARCH, SearchTokens, candidates_query
from navette_ins.domain.identity import Identity
from navette_ins.domain.prior_search import PriorSearch

PRIOR_SEARCHES = "prior_searches"

AT_ONCE = 20
"""Values in one `$in`: the embedded database compares each row it reads with each of them."""
_MERGES = 5
"""Merges of merges that are followed to the record that is used today."""


class PriorSearches:
    """Reads inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring], tokens: SearchTokens) -> None:
        self._identities = uow.collection(IDENTITIES)
        self._lines = uow.collection(PRIOR_SEARCHES)
        self._keyring = keyring()
        self._tokens = tokens

    async def answers(self, search: PriorSearch, sites: Collection[str] | None) -> tuple[list[Identity], bool]:
        """Identities of these sites (None: all) that answer, in no order; and whether there were too many to open.

        A record that was merged is answered by the one that took it over, once.
        """
        query = candidates_query(self._tokens.asked(search), sites)
        rows = [row async for row in self._identities.find(query, batch_size=CANDIDATES + 1).limit(CANDIDATES + 1)]
        opened = [identity_of(row, self._keyring) for row in rows[:CANDIDATES]]
        found = {one.patient_id: one for one in opened if search.matches(one)}
        return await self._survivors(found, sites), len(rows) > CANDIDATES

    async def with_local_ids(self, site_id: str, local_ids: Iterable[str]) -> dict[str, Identity]:
        """The identities of a site that have these IPPs, by IPP."""
        wanted = {self._tokens.local_id(one): one for one in local_ids}
        tokens, opened = sorted(wanted), []
        for start in range(0, len(tokens), AT_ONCE):
            query: dict[str, Any] = {SEARCH: {"$in": tokens[start : start + AT_ONCE]}, "site_id": site_id}
            opened += [identity_of(row, self._keyring) async for row in self._identities.find(query)]
        asked = set(wanted.values())
        return {one.traits.local_id: one for one in opened if one.traits.local_id in asked}

    async def record(self, search_id: str, search: PriorSearch, *, by: str, at: Any, count: int) -> None:
        """Write that somebody searched, by what kind of criterion, and how many answers there were; no criterion."""
        line = {"_id": search_id, "by": by, "at": at, "criterion": search.criterion.value, "count": count}
        await self._lines.insert_one(line)

    async def _survivors(self, found: dict[str, Identity], sites: Collection[str] | None) -> list[Identity]:
        for _ in range(_MERGES):
            merged = {one.patient_id: one.merged_into for one in found.values() if one.merged_into is not None}
            if not merged:
                break
            missing = sorted({into for into in merged.values() if into not in found})
            rows = [row async for row in self._identities.find({"_id": {"$in": missing}})] if missing else []
            found = {key: one for key, one in found.items() if key not in merged}
            found |= {str(row["_id"]): identity_of(row, self._keyring) for row in rows}
        return [one for one in found.values() if sites is None or one.site_id in sites]
