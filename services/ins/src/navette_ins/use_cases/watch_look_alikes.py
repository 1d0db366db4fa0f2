"""Whoever is recorded or renamed is compared with those of the same birth date (spec/ins.md §6, §9.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring

from navette_ins.adapters.history import Changed
from navette_ins.adapters.identities import BlindIndex, IdentityRepository, Watcher
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.homonyms import HOMONYM_FROM, LookAlike, likeness
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.open_case import Question, open_cases

BY = "navette"
"""Who opens a case that nobody reported."""


def watch_look_alikes(keyring: Callable[[], Keyring], index: BlindIndex) -> Watcher:
    """A watcher of changes: opens a duplicate case from 0.92 on, a homonym case from 0.80 on; decides nothing."""

    async def watch(uow: UnitOfWork, changes: Sequence[Changed]) -> None:
        looked_at = [one.after for one in changes if _may_resemble_others(one)]
        if not looked_at:
            return
        repository = IdentityRepository(uow, keyring, index)
        neighbours = await repository.born_about([one.traits for one in looked_at])
        questions = [
            _question(identity, found, other)
            for identity, others in zip(looked_at, neighbours, strict=True)
            for found, other in look_alikes(identity, others)
        ]
        if questions:
            await open_cases(uow, questions, by=BY)

    return watch


def _question(identity: Identity, found: LookAlike, other: Identity) -> Question:
    kind = CaseKind.DUPLICATE if found.duplicate_candidate else CaseKind.HOMONYM
    reason = "crossed_name" if found.crossed_name else "look_alike"
    return Question(kind, (identity, other), reason, found.score)


def _may_resemble_others(changed: Changed) -> bool:
    before, after = changed.before, changed.after
    return after.merged_into is None and (before is None or before.traits != after.traits)


def look_alikes(identity: Identity, others: Iterable[Identity]) -> list[tuple[LookAlike, Identity]]:
    """Of records of about the same birth date, the active ones that look like this one, the most alike first."""
    found = []
    for other in others:
        if other.patient_id == identity.patient_id or other.merged_into is not None:
            continue
        score, crossed = likeness(identity.traits, other.traits)
        if score >= HOMONYM_FROM:
            found.append((LookAlike(other.patient_id, other.site_id, score, crossed), other))
    return sorted(found, key=lambda one: one[0].score, reverse=True)
