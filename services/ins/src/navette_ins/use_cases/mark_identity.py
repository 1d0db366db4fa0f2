"""Give an identity an attribute or take it away (RIS.INS.27): doubtful and fictive take the matricule away."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import IdentityAttribute

from navette_ins.domain.identity import Identity
from navette_ins.use_cases.desk import Desk


async def mark_identity(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, attribute: IdentityAttribute, present: bool, by: str
) -> Identity:
    """Change the attribute. Raises RuleBroken or Forbidden."""
    changed = identity.marked(attribute, at=uow.now) if present else identity.unmarked(attribute, at=uow.now)
    action = f"{'marked' if present else 'unmarked'}_{attribute.value}"
    await desk.identities(uow).save(identity, changed, action=action, by=by)
    await uow.record_access(by, "identity.mark", "patient", identity.patient_id, identity.site_id, "granted")
    return changed
