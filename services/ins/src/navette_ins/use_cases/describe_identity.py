"""What a reader of a record is told beside its traits: everything a careful person would look at."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.adapters.cases import CaseRepository
from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.cautions import OF_CASES, Caution, cautions
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.desk import Desk


async def describe_identity(uow: UnitOfWork, desk: Desk, identity: Identity) -> tuple[Caution, ...]:
    """The warnings of a record as it is now."""
    not_found = await SearchRepository(uow).not_found(identity.patient_id, identity.revision)
    noticed = cautions(identity, knows_place=desk.knows_place, not_found=not_found, today=uow.now.date())
    cases = await CaseRepository(uow).pending_about(identity.patient_id)
    return noticed + tuple(dict.fromkeys(OF_CASES[one.kind] for one in cases))
