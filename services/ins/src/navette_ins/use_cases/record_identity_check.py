"""A document was held: recorded, and validating by itself only where the site says so (RIS.INS.18 to RIS.INS.21)."""

from __future__ import annotations

from datetime import date

from navette_chassis import UnitOfWork

from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk


async def record_identity_check(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, document_kind: str, by: str, expires_on: date | None = None
) -> Identity:
    """Record the document. Raises RuleBroken for one this site does not take, Forbidden for a doubtful identity.

    A document of high trust is the second fact, unless the site validates in an act of its own. One of low trust is
    recorded and changes no status.
    """
    proof = desk.policy.proofs(identity.site_id).get(document_kind)
    if proof is None:
        raise RuleBroken("document_kind", "unknown_document")
    if expires_on is not None and expires_on < uow.now.date():
        raise RuleBroken("document_expires_on", "expired")
    if proof.high_trust and desk.policy.automatic_validation(identity.site_id):
        checked = identity.checked(proof.code, by=by, at=uow.now, proof=proof, expires_on=expires_on)
        act = Act.CHECKED
    else:
        checked, act = identity.shown(proof, by=by, at=uow.now, expires_on=expires_on), Act.PROOF_SEEN
    await desk.identities(uow).save(identity, checked, act=act, by=by)
    await uow.record_access(by, "identity.check", "patient", identity.patient_id, identity.site_id, "granted")
    return checked


async def validate_identity(uow: UnitOfWork, desk: Desk, *, identity: Identity, by: str) -> Identity:
    """Validate by hand on the high-trust document last shown (RIS.INS.20). Raises Forbidden when there is none."""
    seen = identity.proof
    if seen is None or not seen.high_trust:
        raise Forbidden("no_proof")
    proof = desk.policy.proofs(identity.site_id).get(seen.document_kind)
    if proof is None:
        raise RuleBroken("document_kind", "unknown_document")
    checked = identity.checked(proof.code, by=by, at=uow.now, proof=proof, expires_on=seen.document_expires_on)
    await desk.identities(uow).save(identity, checked, act=Act.CHECKED, by=by)
    await uow.record_access(by, "identity.validate", "patient", identity.patient_id, identity.site_id, "granted")
    return checked


async def withdraw_check(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, by: str, reason: str | None = None
) -> Identity:
    """The check was of a wrong document. Raises Forbidden when there is none."""
    after = identity.check_withdrawn(at=uow.now)
    await desk.identities(uow).save(identity, after, act=Act.CHECK_WITHDRAWN, by=by, reason=reason)
    await uow.record_access(by, "identity.check_withdrawn", "patient", identity.patient_id, identity.site_id, "granted")
    return after
