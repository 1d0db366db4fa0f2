"""Put a question before the cellule d'identitovigilance, once (spec/ins.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.cases import CaseRepository
from navette_ins.domain.cases import Case, CaseKind, CaseState
from navette_ins.domain.identity import Identity

FOUND_BY_ITSELF = frozenset({"look_alike", "crossed_name"})
"""Reasons a machine finds: what a person once dismissed is not asked again for one of these."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about which records, and why."""

    kind: CaseKind
    identities: Sequence[Identity]
    reason: str
    score: float | None = None


async def open_case(
    uow: UnitOfWork, kind: CaseKind, identities: Sequence[Identity], *, reason: str, by: str
) -> Case | None:
    """The pending case about these records: the one there is, or a new one. None when it was dismissed before."""
    return (await open_cases(uow, [Question(kind, identities, reason)], by=by))[0]


async def open_cases(uow: UnitOfWork, questions: Sequence[Question], *, by: str) -> list[Case | None]:
    """For each question its pending case, as `open_case` does."""
    cases = CaseRepository(uow)
    asked = [_case(uow, question, by) for question in questions]
    known = await cases.under(case.key for case in asked)
    pending = {key: next((one for one in there if one.pending), None) for key, there in known.items()}
    new: dict[str, Case] = {}
    answers: list[Case | None] = []
    for case in asked:
        dismissed = any(one.state is CaseState.DISMISSED for one in known[case.key])
        found = pending[case.key] or new.get(case.key)
        if found is None and not (case.reason in FOUND_BY_ITSELF and dismissed):
            found = new[case.key] = case
        answers.append(found)
    await cases.add(*new.values())
    return answers


def _case(uow: UnitOfWork, question: Question, by: str) -> Case:
    return Case(
        case_id=uuid7(),
        kind=question.kind,
        patient_ids=tuple(one.patient_id for one in question.identities),
        site_ids=tuple(dict.fromkeys(one.site_id for one in question.identities)),
        reason=question.reason,
        score=question.score,
        opened_by=by,
        opened_at=uow.now,
    )
