"""The end of a withdrawal becomes a fact, in the transaction that ends its delivery."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import DmpOperation, DmpRejected, DmpWithdrawn, WhoMustAct

from navette_dmp.domain.publication import Withdrawal
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.use_cases.schedule_publication import PUBLICATIONS


async def settle_withdrawal(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
    """Emit DmpWithdrawn, or DmpRejected with who must act; nothing when the DMP never had the report."""
    withdrawal = Withdrawal.from_payload(delivery.payload)
    if outcome.kind is OutcomeKind.DELIVERED:
        unique_id = outcome.remote_ids["unique_id"]
        gone = {"status": PublicationStatus.WITHDRAWN.value, "at": uow.now}
        await uow.collection(PUBLICATIONS).update_one({"_id": unique_id}, {"$set": gone})
        event = DmpWithdrawn(
            report_id=withdrawal.report_id, version=withdrawal.version, unique_id=unique_id, at=uow.now
        )
        await uow.emit(event, subject=withdrawal.report_id)
        return
    if outcome.code == "never-published":
        return
    nobody = outcome.who_must_act is WhoMustAct.NOBODY
    rejected = DmpRejected(
        report_id=withdrawal.report_id,
        version=withdrawal.version,
        unique_id=withdrawal.documents[0].unique_id,
        error_class=outcome.error_class,
        code=outcome.code,
        # A document that stays visible though it was withdrawn is never nobody's business.
        who_must_act=WhoMustAct.OPERATOR if nobody else outcome.who_must_act,
        rejected_at=uow.now,
        operation=DmpOperation.WITHDRAW,
    )
    await uow.emit(rejected, subject=withdrawal.report_id)
