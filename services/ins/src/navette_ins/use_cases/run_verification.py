"""The delivery of a unit verification, and what its verdict changes: never the identity itself (spec/ins.md §5.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import Service, UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.verifications import CHECKS
from navette_ins.adapters.verifier import VerificationNotConfigured, VerificationTrouble, Verified
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.verification import AGAIN_AFTER_KO, Check, CheckState, Subject, Verdict, subject_of
from navette_ins.use_cases.open_case import open_case
from navette_ins.use_cases.verification_desk import VerificationDesk


def outcome_of_trouble(error: VerificationTrouble | VerificationNotConfigured) -> Outcome:
    """Who or what ends it."""
    if isinstance(error, VerificationNotConfigured):
        return Outcome.permanent("verification_not_configured", WhoMustAct.ADMINISTRATOR)
    if error.later:
        return Outcome.transient(error.code, endpoint_down=error.down)
    return Outcome.permanent(error.code, error.who)


def run_verification(service: Service, vdesk: VerificationDesk) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of the channel. A verification changes nothing at INSi: asking again is always safe."""

    async def attempt(delivery: Delivery) -> Outcome:
        row = await service.database[CHECKS].find_one({"_id": delivery.payload["check_id"]})
        check = None if row is None else Check.model_validate(row["check"])
        held = None if check is None else await service.database[IDENTITIES].find_one({"_id": check.patient_id})
        if check is None or held is None:
            return Outcome.permanent("check_unknown", WhoMustAct.OPERATOR)
        identity = identity_of(held, service.keyring)
        if identity.revision != check.revision:
            return Outcome.cancelled("identity_changed")
        try:
            subject = subject_of(identity)
            verified = await vdesk.verifier().verify(subject)
        except (VerificationTrouble, VerificationNotConfigured) as error:
            return outcome_of_trouble(error)
        except (RuleBroken, Forbidden):
            return Outcome.permanent("not_verifiable", WhoMustAct.SECRETARY)
        await service.transact(_trace, vdesk, check, subject, verified)
        if verified.verdict is Verdict.TECHNICAL:
            return Outcome.transient("technical")
        return Outcome.delivered(verified.verdict.value)

    return attempt


async def _trace(uow: UnitOfWork, vdesk: VerificationDesk, check: Check, subject: Subject, verified: Verified) -> None:
    await vdesk.verifications(uow).record(
        operation="verify",
        about=check.patient_id,
        received=verified.received,
        code=verified.verdict.value,
        by=check.requested_by,
        sent=subject,
    )
    await uow.record_access(
        check.requested_by, "insi.verify.call", "patient", check.patient_id, check.site_id, "granted"
    )


def settle_verification(vdesk: VerificationDesk) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of the channel: OK is dated, KO opens a case that a person decides."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        verifications = vdesk.verifications(uow)
        check = await verifications.check(delivery.payload["check_id"])
        if check is None:
            return
        identity = await vdesk.desk.identities(uow).get(check.patient_id)
        if outcome.kind is OutcomeKind.CANCELLED:
            ended = {"state": CheckState.OUTDATED, "code": outcome.code}
        elif outcome.kind is not OutcomeKind.DELIVERED:
            ended = {"state": CheckState.FAILED, "code": outcome.code, "who_must_act": outcome.who_must_act.value}
        elif identity is None or identity.revision != check.revision:
            ended = {"state": CheckState.OUTDATED, "code": "identity_changed"}
        elif outcome.code == Verdict.OK:
            await verifications.positive(check.patient_id, uow.now)
            ended = {"state": CheckState.OK, "code": "OK"}
        else:
            await open_case(uow, CaseKind.VERIFICATION_KO, [identity], reason="verification_ko", by=check.requested_by)
            await verifications.again(check.patient_id, uow.now + AGAIN_AFTER_KO)
            ended = {"state": CheckState.KO, "code": "KO", "who_must_act": "secretary"}
        await verifications.save_check(check.model_copy(update=ended))

    return settle
