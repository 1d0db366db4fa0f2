"""A person decides a case; what the decision means for the identities happens with it (spec/ins.md §5.5, §6)."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import IdentityAttribute

from navette_ins.adapters.cases import CaseRepository
from navette_ins.domain.cases import Case, CaseDecision, CaseKind
from navette_ins.domain.identity import Identity
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.mark_identity import mark_identity


async def decide_case(
    uow: UnitOfWork, desk: Desk, *, case: Case, decision: CaseDecision, by: str, reason: str | None = None
) -> Case:
    """Record the decision. Raises Forbidden when the case is closed or an identity does not allow what follows."""
    decided = case.decided(decision, by=by, at=uow.now)
    await CaseRepository(uow).save(decided)
    if decision is CaseDecision.CONFIRM:
        for patient_id in case.patient_ids:
            identity = await desk.identities(uow).get(patient_id)
            if identity is not None and identity.merged_into is None:
                await _follow(uow, desk, case.kind, identity, by=by, reason=reason)
    for site_id in case.site_ids:
        await uow.record_access(by, f"case.{decision.value}", "case", case.case_id, site_id, "granted")
    return decided


async def _follow(
    uow: UnitOfWork, desk: Desk, kind: CaseKind, identity: Identity, *, by: str, reason: str | None
) -> None:
    if kind is CaseKind.COLLISION and IdentityAttribute.DOUTEUSE not in identity.attributes:
        await mark_identity(uow, desk, identity=identity, attribute=IdentityAttribute.DOUTEUSE, present=True, by=by)
    elif kind is CaseKind.HOMONYM and not identity.attributes & {IdentityAttribute.HOMONYME, IdentityAttribute.FICTIVE}:
        await mark_identity(uow, desk, identity=identity, attribute=IdentityAttribute.HOMONYME, present=True, by=by)
    elif kind is CaseKind.VERIFICATION_KO and identity.recovery is not None:
        after = identity.without_ins(at=uow.now)
        await desk.identities(uow).save(identity, after, act=Act.VERIFICATION_KO, by=by, reason=reason)
