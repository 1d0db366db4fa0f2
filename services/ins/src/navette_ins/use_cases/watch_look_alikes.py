"""Whoever is recorded or renamed is compared with those of the same birth date (spec/ins.md §6, §9.3)."""

from __future__ import annotations

from collections.abc import Callable

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring

from navette_ins.adapters.history import Changed
from navette_ins.adapters.identities import BlindIndex, IdentityRepository, Watcher
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.homonyms import HOMONYM_FROM, LookAlike, likeness
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.open_case import open_case

BY = "navette"
"""Who opens a case that nobody reported."""


def watch_look_alikes(keyring: Callable[[], Keyring], index: BlindIndex) -> Watcher:
    """A watcher of changes: opens a duplicate case from 0.92 on, a homonym case from 0.80 on; decides nothing."""

    async def watch(uow: UnitOfWork, changed: Changed) -> None:
        after, before = changed.after, changed.before
        if after.merged_into is not None or (before is not None and before.traits == after.traits):
            return
        repository = IdentityRepository(uow, keyring, index)
        for found, other in await look_alikes(repository, after):
            crossed = "crossed_name" if found.crossed_name else "look_alike"
            kind = CaseKind.DUPLICATE if found.duplicate_candidate else CaseKind.HOMONYM
            await open_case(uow, kind, (after, other), reason=crossed, by=BY, score=found.score)

    return watch


async def look_alikes(repository: IdentityRepository, identity: Identity) -> list[tuple[LookAlike, Identity]]:
    """Other active records of about the same birth date that look like this one, the most alike first."""
    found = []
    for other in await repository.born_about(identity.traits):
        if other.patient_id == identity.patient_id or other.merged_into is not None:
            continue
        score, crossed = likeness(identity.traits, other.traits)
        if score >= HOMONYM_FROM:
            found.append((LookAlike(other.patient_id, other.site_id, score, crossed), other))
    return sorted(found, key=lambda one: one[0].score, reverse=True)
