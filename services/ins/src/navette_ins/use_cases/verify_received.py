"""An INS that came from elsewhere is verified before it is used (RIS.INS.46, RIS.INS.48; spec/ins.md §2.8)."""

from __future__ import annotations

from enum import StrEnum

from navette_chassis import Service, UnitOfWork

from navette_ins.adapters.verifier import VerificationTrouble, Verified
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.verification import Subject, Verdict, subject_of
from navette_ins.use_cases.verification_desk import VerificationDesk


class Received(StrEnum):
    """What is known of an INS that came from elsewhere."""

    HELD = "held"
    """A record here has this INS with these very traits: INSi is not asked."""
    OK = "ok"
    KO = "ko"


async def verify_received(
    service: Service, vdesk: VerificationDesk, *, subject: Subject, site_id: str, by: str
) -> Received:
    """Ask INSi now; whoever sent the INS waits for the word.

    Raises VerificationNotConfigured, or VerificationTrouble when there is no verdict: the INS must not be used then.
    """
    if await service.transact(_held, vdesk, subject):
        return Received.HELD
    verified = await vdesk.verifier().verify(subject)
    await service.transact(trace_received, vdesk, subject, verified, site_id, by)
    if verified.verdict is Verdict.TECHNICAL:
        raise VerificationTrouble("technical", later=True)
    return Received.OK if verified.verdict is Verdict.OK else Received.KO


async def _held(uow: UnitOfWork, vdesk: VerificationDesk, subject: Subject) -> bool:
    identities = vdesk.desk.identities(uow)
    holder = await identities.other_with(subject.number + subject.key, subject.oid, than="")
    identity = None if holder is None else await identities.get(holder)
    try:
        return identity is not None and subject_of(identity) == subject
    except (Forbidden, RuleBroken):
        return False


async def trace_received(
    uow: UnitOfWork, vdesk: VerificationDesk, subject: Subject, verified: Verified, site_id: str, by: str
) -> None:
    """Keep the call about an INS that came from elsewhere, its answer, and for whom it was made (RIS.INS.42)."""
    about = vdesk.desk.index.of(subject.number + subject.key, subject.oid)
    await vdesk.verifications(uow).record(
        operation="verify_received",
        about=about,
        received=verified.received,
        code=verified.verdict.value,
        by=by,
        sent=subject,
    )
    await uow.record_access(by, "insi.verify.call", "insi-call", verified.received.message_id, site_id, "granted")
