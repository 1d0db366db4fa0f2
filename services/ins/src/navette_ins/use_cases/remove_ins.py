"""The INS is another person's: it goes, its history with it, and a case says what was done (spec/ins.md §5.5, §6)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.domain.identity import Identity
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk


async def remove_ins(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, by: str, reason: str | None = None
) -> Identity:
    """Remove the INS of a record. Raises Forbidden when it carries none."""
    after = identity.without_ins(at=uow.now)
    await desk.identities(uow).save(identity, after, act=Act.INS_OF_ANOTHER_PERSON, by=by, reason=reason)
    await uow.record_access(by, "ins.remove", "patient", identity.patient_id, identity.site_id, "granted")
    return after
