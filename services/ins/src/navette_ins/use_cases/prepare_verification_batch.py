"""Cut identities that are due for verification into a batch (WS_INS4; spec/ins.md §2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from navette_chassis import UnitOfWork, uuid7
from navette_contracts.sealed import SealError

from navette_ins.adapters.cases import CaseRepository
from navette_ins.adapters.identities import IdentityRepository
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.verification import AGAIN_AFTER, Batch, Line, key_of, subject_of
from navette_ins.use_cases.verification_desk import VerificationDesk

log = structlog.get_logger("navette.ins")

BATCH_CHANNEL = "insi-verification-batch"


async def prepare_verification_batch(uow: UnitOfWork, vdesk: VerificationDesk) -> Batch | None:
    """One lot of what is due now, its deposit scheduled; None when nothing is due.

    Left out, and looked at again a day later: who has a pending case (the record may be of two people, or be one
    of two), a name INSi does not take, a record that cannot be opened.
    """
    verifications = vdesk.verifications(uow)
    identities = vdesk.desk.identities(uow)
    lines: list[tuple[Line, Identity]] = []
    while not lines:
        due = await verifications.due(uow.now - vdesk.period, vdesk.lot_size)
        if not due:
            return None
        discussed = await _under_discussion(uow, due)
        for patient_id in due:
            identity = await _readable(identities, patient_id)
            line = None if identity is None or patient_id in discussed else _line(identity)
            if identity is None or line is None:
                await verifications.again(patient_id, uow.now + AGAIN_AFTER)
            else:
                lines.append((line, identity))
    batch = Batch(batch_id=uuid7(), key=key_of([line for line, _ in lines]), sent=len(lines), prepared_at=uow.now)
    await verifications.add_batch(batch, [(line, one.patient_id, one.site_id, one.revision) for line, one in lines])
    await schedule_step(uow, batch, "deposit")
    return batch


async def _readable(identities: IdentityRepository, patient_id: str) -> Identity | None:
    """The identity; one whose key is missing must not hold up the others."""
    try:
        return await identities.get(patient_id)
    except SealError:
        log.warning("verification.record_unreadable", patient_id=patient_id)
        return None


async def schedule_step(uow: UnitOfWork, batch: Batch, step: str, *, not_before: datetime | None = None) -> None:
    """Schedule the deposit of a batch or the next look at its lot."""
    key = f"{batch.batch_id}/{step}/{batch.polls}"
    payload = {"batch_id": batch.batch_id, "step": step}
    await uow.schedule(BATCH_CHANNEL, key=key, group=batch.batch_id, payload=payload, not_before=not_before)


async def _under_discussion(uow: UnitOfWork, patient_ids: Sequence[str]) -> frozenset[str]:
    pending = await CaseRepository(uow).pending_about(*patient_ids)
    return frozenset(patient_id for case in pending for patient_id in case.patient_ids)


def _line(identity: Identity) -> Line | None:
    try:
        return Line(uuid7(), subject_of(identity))
    except (Forbidden, RuleBroken):
        return None
