"""Put a question before the cellule d'identitovigilance, once (spec/ins.md §6)."""

from __future__ import annotations

from collections.abc import Sequence

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.cases import CaseRepository
from navette_ins.domain.cases import Case, CaseKind
from navette_ins.domain.identity import Identity

FOUND_BY_ITSELF = frozenset({"look_alike", "crossed_name"})
"""Reasons a machine finds: what a person once dismissed is not asked again for one of these."""


async def open_case(
    uow: UnitOfWork,
    kind: CaseKind,
    identities: Sequence[Identity],
    *,
    reason: str,
    by: str,
    score: float | None = None,
) -> Case | None:
    """The pending case about these records: the one there is, or a new one. None when it was dismissed before."""
    cases = CaseRepository(uow)
    case = Case(
        case_id=uuid7(),
        kind=kind,
        patient_ids=tuple(one.patient_id for one in identities),
        site_ids=tuple(dict.fromkeys(one.site_id for one in identities)),
        reason=reason,
        score=score,
        opened_by=by,
        opened_at=uow.now,
    )
    known = await cases.pending(case.key)
    if known is not None:
        return known
    if reason in FOUND_BY_ITSELF and await cases.dismissed(case.key):
        return None
    await cases.add(case)
    return case
