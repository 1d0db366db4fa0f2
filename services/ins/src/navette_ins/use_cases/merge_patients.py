"""Two records become one, or two again (spec/ins.md §6). A person decides; nothing is merged by itself."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7
from navette_contracts.events import PatientMerged

from navette_ins.adapters.cases import CaseRepository
from navette_ins.adapters.merges import Merge, MergeRepository
from navette_ins.adapters.venues import VenueRepository
from navette_ins.domain.cases import Case, CaseKind, CaseState
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.domain.merges import merge, unmerge
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk


async def merge_patients(
    uow: UnitOfWork, desk: Desk, *, survivor: Identity, absorbed: Identity, by: str, reason: str | None = None
) -> Merge:
    """Merge. Raises Forbidden when the two may not be one person."""
    merged, closed = merge(survivor, absorbed, at=uow.now)
    identities = desk.identities(uow)
    # The absorbed record first: one matricule is never on two records, not even inside a transaction.
    await identities.save(absorbed, closed, act=Act.ABSORBED, by=by, reason=reason, other=survivor)
    await identities.save(survivor, merged, act=Act.MERGED, by=by, reason=reason, other=absorbed)
    moved = await VenueRepository(uow).move(absorbed.patient_id, survivor.patient_id)
    done = Merge(
        merge_id=uuid7(),
        surviving_id=survivor.patient_id,
        absorbed_id=absorbed.patient_id,
        site_ids=tuple(dict.fromkeys((survivor.site_id, absorbed.site_id))),
        merged_revision=merged.revision,
        merged_by=by,
        merged_at=uow.now,
        moved_venues=moved,
    )
    await MergeRepository(uow, desk.keyring).add(done, survivor=survivor, absorbed=absorbed)
    event = PatientMerged(
        surviving_id=done.surviving_id,
        absorbed_id=done.absorbed_id,
        revision=merged.revision,
        absorbed_revision=closed.revision,
    )
    await uow.emit(event, subject=done.surviving_id, sequence=merged.revision)
    await _settle_case(uow, survivor, absorbed, by=by)
    for identity in (survivor, absorbed):
        await uow.record_access(by, "identity.merge", "patient", identity.patient_id, identity.site_id, "granted")
    return done


async def unmerge_patients(uow: UnitOfWork, desk: Desk, *, merge_id: str, by: str, reason: str | None = None) -> Merge:
    """Undo a merge: both records as before; what happened since stays. Raises Forbidden when it was undone."""
    merges = MergeRepository(uow, desk.keyring)
    known = await merges.get(merge_id)
    if known is None:
        raise Forbidden("no_such_merge")
    done, survivor_before, absorbed_before = known
    identities = desk.identities(uow)
    survivor, closed = await identities.get(done.surviving_id), await identities.get(done.absorbed_id)
    if done.undone_at is not None or survivor is None or closed is None:
        raise Forbidden("not_merged")
    freed, restored = unmerge(
        survivor,
        closed,
        survivor_before=survivor_before,
        absorbed_before=absorbed_before,
        merged_revision=done.merged_revision,
        at=uow.now,
    )
    if restored.recovery is not None:
        ins = restored.recovery.ins
        holder = await identities.other_with(ins.matricule, ins.oid, than=restored.patient_id)
        if holder not in (None, freed.patient_id):
            raise Forbidden("ins_held_elsewhere")
    await identities.save(survivor, freed, act=Act.UNMERGED, by=by, reason=reason, other=closed)
    await identities.save(closed, restored, act=Act.RESTORED, by=by, reason=reason, other=survivor)
    await VenueRepository(uow).move(done.surviving_id, done.absorbed_id, done.moved_venues)
    undone = done.model_copy(update={"undone_by": by, "undone_at": uow.now})
    await merges.save(undone)
    await _reopen_case(uow, survivor, closed, by=by)
    for identity in (survivor, closed):
        await uow.record_access(by, "identity.unmerge", "patient", identity.patient_id, identity.site_id, "granted")
    return undone


def _key(one: Identity, other: Identity) -> str:
    return f"{CaseKind.DUPLICATE}|{'|'.join(sorted((one.patient_id, other.patient_id)))}"


async def _settle_case(uow: UnitOfWork, survivor: Identity, absorbed: Identity, *, by: str) -> None:
    cases = CaseRepository(uow)
    case: Case | None = await cases.pending(_key(survivor, absorbed))
    if case is not None:
        await cases.save(case.closed(CaseState.RESOLVED, by=by, at=uow.now))


async def _reopen_case(uow: UnitOfWork, survivor: Identity, absorbed: Identity, *, by: str) -> None:
    """The question is put again: an error of a merge is decided by a person too."""
    cases = CaseRepository(uow)
    key = _key(survivor, absorbed)
    case = await cases.resolved(key)
    if case is not None and await cases.pending(key) is None:
        await cases.save(case.closed(CaseState.OPEN, by=by, at=uow.now))
