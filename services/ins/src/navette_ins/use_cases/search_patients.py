"""Look for a record before one is created (R17): sealed identities, found by blind tokens, opened in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.prior_searches import PriorSearches
from navette_ins.domain.identity import Identity
from navette_ins.domain.prior_search import PriorSearch, place_in_list
from navette_ins.use_cases.desk import Desk

SHOWN = 50
"""Answers a person is given; more than that is no list to choose from."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answers, in the order of a register."""

    search_id: str
    identities: tuple[Identity, ...]
    more: bool
    """There are others: first letters would tell them apart."""


async def search_patients(
    uow: UnitOfWork, desk: Desk, *, search: PriorSearch, sites: Collection[str] | None, by: str
) -> Found:
    """Search among the records of `sites` (None: all of them); the search is on record with the number of answers."""
    prior = PriorSearches(uow, desk.keyring, desk.index.tokens)
    identities, unread = await prior.answers(search, sites)
    ordered = sorted(identities, key=place_in_list)
    search_id = uuid7()
    await prior.record(search_id, search, by=by, at=uow.now, count=len(ordered))
    await uow.record_access(by, "identity.search", "search", search_id, None, "granted")
    return Found(search_id, tuple(ordered[:SHOWN]), more=unread or len(ordered) > SHOWN)
