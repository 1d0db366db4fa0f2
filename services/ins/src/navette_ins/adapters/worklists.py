"""Reads for the worklists: venues of the day, searches that ended without an INS, doubtful records, pending cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from navette_chassis.unit_of_work import Document
from navette_contracts.events import IdentityAttribute
from navette_contracts.sealed import Keyring
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.searches import SEARCHES, search_of
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import Search, SearchState

SHOWN = 500
"""Items of one list at most."""


async def identities_by_id(
    database: AsyncDatabase[Document], ids: Iterable[str], keyring: Keyring
) -> Mapping[str, Identity]:
    """Present revisions of these records."""
    wanted = sorted(set(ids))[:SHOWN]
    rows = await database[IDENTITIES].find({"_id": {"$in": wanted}}).to_list()
    return {str(row["_id"]): identity_of(row, keyring) for row in rows}


async def doubtful_ids(database: AsyncDatabase[Document], site_id: str) -> list[str]:
    """Records of a site that are marked doubtful."""
    query = {"attributes": IdentityAttribute.DOUTEUSE.value, "site_id": site_id}
    rows = await database[IDENTITIES].find(query, {"_id": 1}).limit(SHOWN).to_list()
    return [str(row["_id"]) for row in rows]


async def searches_ended(
    database: AsyncDatabase[Document], site_id: str, states: Collection[SearchState]
) -> list[Search]:
    """Searches of a site that ended in one of these states, oldest first; the caller drops those that are outdated."""
    found: list[Search] = []
    for state in states:
        rows = await database[SEARCHES].find({"site_id": site_id, "state": state.value}).limit(SHOWN * 4).to_list()
        found += [search_of(row) for row in rows]
    return sorted(found, key=lambda one: one.requested_at)


async def last_searches(database: AsyncDatabase[Document], patient_ids: Iterable[str]) -> Mapping[str, Search]:
    """The last search of each of these people."""
    last: dict[str, Search] = {}
    for patient_id in sorted(set(patient_ids))[:SHOWN]:
        rows = await database[SEARCHES].find({"patient_id": patient_id}).to_list()
        searches = [search_of(row) for row in rows]
        if searches:
            last[patient_id] = max(searches, key=lambda one: one.requested_at)
    return last
