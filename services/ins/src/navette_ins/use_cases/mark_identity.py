"""Give an identity an attribute or take it away (RIS.INS.27): doubtful and fictive take the matricule away."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import IdentityAttribute

from navette_ins.domain.identity import UNTRUSTED, Identity
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk


async def mark_identity(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, attribute: IdentityAttribute, present: bool, by: str
) -> Identity:
    """Change the attribute. Raises RuleBroken or Forbidden."""
    if present:
        changed = identity.marked(attribute, at=uow.now)
        act = Act.MARKED_UNTRUSTED if attribute in UNTRUSTED else Act.MARKED_HOMONYM
    else:
        changed, act = identity.unmarked(attribute, at=uow.now), Act.UNMARKED
    await desk.identities(uow).save(identity, changed, act=act, by=by)
    await uow.record_access(by, "identity.mark", "patient", identity.patient_id, identity.site_id, "granted")
    return changed
