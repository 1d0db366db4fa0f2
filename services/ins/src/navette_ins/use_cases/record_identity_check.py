"""Somebody held the document and the person: the second fact (RIS.INS.18, RIS.INS.20)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.domain.identity import Identity
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk


async def record_identity_check(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, document_kind: str, by: str
) -> Identity:
    """Record the check. Raises RuleBroken for a document that proves nothing, Forbidden for a doubtful identity."""
    checked = identity.checked(document_kind, by=by, at=uow.now)
    await desk.identities(uow).save(identity, checked, act=Act.CHECKED, by=by)
    await uow.record_access(by, "identity.check", "patient", identity.patient_id, identity.site_id, "granted")
    return checked
