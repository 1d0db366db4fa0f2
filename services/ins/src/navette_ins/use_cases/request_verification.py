"""A person asks INSi whether an INS that is held is right (WS_INS3; RIS.INS.42, RIS.INS.48)."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.verifier import VerificationNotConfigured
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.domain.verification import Check, subject_of
from navette_ins.use_cases.verification_desk import VerificationDesk

CHECK_CHANNEL = "insi-verification"


async def request_verification(uow: UnitOfWork, vdesk: VerificationDesk, *, identity: Identity, by: str) -> Check:
    """Schedule the verification: an outage never blocks the desk.

    Raises VerificationNotConfigured, Forbidden (no INS, one under way) or RuleBroken (a name INSi does not take).
    """
    if not vdesk.verifier().unit_possible:
        raise VerificationNotConfigured
    subject_of(identity)
    verifications = vdesk.verifications(uow)
    if await verifications.check_under_way(identity.patient_id):
        raise Forbidden("verification_under_way")
    check = Check(
        check_id=uuid7(),
        patient_id=identity.patient_id,
        site_id=identity.site_id,
        revision=identity.revision,
        requested_by=by,
        requested_at=uow.now,
    )
    await verifications.save_check(check)
    await uow.schedule(
        CHECK_CHANNEL, key=check.check_id, group=identity.patient_id, payload={"check_id": check.check_id}
    )
    await uow.record_access(by, "insi.verify", "patient", identity.patient_id, identity.site_id, "granted")
    return check
