"""The deliveries of a batch: its deposit, then a look at its lot until the result is there (WS_INS4, WS_INS5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import Service, UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct

from navette_ins.adapters.verifications import BATCHES, batch_of, lines_of_batch
from navette_ins.adapters.verifier import Deposited, VerificationNotConfigured, VerificationTrouble, Withdrawn
from navette_ins.domain.verification import AGAIN_AFTER, Batch, BatchState, poll_delay
from navette_ins.use_cases.prepare_verification_batch import schedule_step
from navette_ins.use_cases.run_verification import outcome_of_trouble
from navette_ins.use_cases.verification_desk import UNATTENDED, VerificationDesk


def run_verification_batch(service: Service, vdesk: VerificationDesk) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of the channel. A deposit whose answer was lost is made again with the same key: one lot."""

    async def attempt(delivery: Delivery) -> Outcome:
        row = await service.database[BATCHES].find_one({"_id": delivery.payload["batch_id"]})
        if row is None:
            return Outcome.permanent("batch_unknown", WhoMustAct.OPERATOR)
        batch = batch_of(row)
        if batch.state.ended or batch.state is BatchState.WITHDRAWN:
            return Outcome.delivered("nothing_to_do")
        try:
            if delivery.payload["step"] == "deposit":
                return await _deposit(service, vdesk, batch)
            return await _look(service, vdesk, batch)
        except (VerificationTrouble, VerificationNotConfigured) as error:
            return outcome_of_trouble(error)

    return attempt


async def _deposit(service: Service, vdesk: VerificationDesk, batch: Batch) -> Outcome:
    if batch.state is not BatchState.PREPARED:
        return Outcome.delivered("nothing_to_do")
    lines = await lines_of_batch(service.database, batch.batch_id, service.keyring)
    deposited = await vdesk.verifier().deposit(batch.key, lines)
    await service.transact(_deposited, vdesk, batch.batch_id, deposited)
    return Outcome.delivered("deposited")


async def _look(service: Service, vdesk: VerificationDesk, batch: Batch) -> Outcome:
    assert batch.lot_id is not None, "a lot is looked at once it was deposited"
    state = await vdesk.verifier().state(batch.lot_id)
    if state != "ready":
        return Outcome.delivered(state)
    await service.transact(_ready, vdesk, batch.batch_id)
    withdrawn = await vdesk.verifier().withdraw(batch.lot_id)
    await service.transact(_withdrawn, vdesk, batch.batch_id, withdrawn)
    return Outcome.delivered("withdrawn")


async def _deposited(uow: UnitOfWork, vdesk: VerificationDesk, batch_id: str, deposited: Deposited) -> None:
    verifications = vdesk.verifications(uow)
    batch = await verifications.batch(batch_id)
    if batch is None or batch.state is not BatchState.PREPARED:
        return
    moved = batch.moved(
        BatchState.DEPOSITED, lot_id=deposited.lot_id, expires_at=deposited.expires_at, deposited_at=uow.now
    )
    await verifications.save_batch(moved)
    await verifications.record(
        operation="deposit", about=batch_id, received=deposited.received, code="deposited", by=UNATTENDED
    )


async def _ready(uow: UnitOfWork, vdesk: VerificationDesk, batch_id: str) -> None:
    verifications = vdesk.verifications(uow)
    batch = await verifications.batch(batch_id)
    if batch is not None and not batch.state.ended:
        await verifications.save_batch(batch.moved(BatchState.READY))


async def _withdrawn(uow: UnitOfWork, vdesk: VerificationDesk, batch_id: str, withdrawn: Withdrawn) -> None:
    verifications = vdesk.verifications(uow)
    batch = await verifications.batch(batch_id)
    if batch is None or batch.state is not BatchState.READY:
        return
    await verifications.say_verdicts(withdrawn.verdicts, batch_id)
    await verifications.save_batch(batch.moved(BatchState.WITHDRAWN))
    await verifications.record(
        operation="withdraw", about=batch_id, received=withdrawn.received, code="withdrawn", by=UNATTENDED
    )


def settle_verification_batch(
    vdesk: VerificationDesk, *, on_withdrawn: Callable[[], None]
) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of the channel: the next look, or the end of a batch that comes to nothing."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        verifications = vdesk.verifications(uow)
        batch = await verifications.batch(delivery.payload["batch_id"])
        if batch is None or batch.state.ended:
            return
        if outcome.kind is OutcomeKind.DELIVERED and outcome.code in ("deposited", "pending", "nothing_to_do"):
            if batch.state is BatchState.WITHDRAWN:
                return
            if outcome.code == "pending":
                batch = batch.moved(BatchState.PENDING)
            batch = batch.model_copy(update={"polls": batch.polls + 1})
            await verifications.save_batch(batch)
            await schedule_step(uow, batch, "look", not_before=uow.now + poll_delay(batch.polls - 1))
        elif outcome.kind is OutcomeKind.DELIVERED and outcome.code == "withdrawn":
            on_withdrawn()
        else:
            await _end(uow, vdesk, batch, outcome)

    return settle


async def _end(uow: UnitOfWork, vdesk: VerificationDesk, batch: Batch, outcome: Outcome) -> None:
    """Nothing of this lot will be applied: its lines are due again a day later."""
    if batch.state is BatchState.WITHDRAWN:
        return
    rejected = batch.state is BatchState.PREPARED or outcome.code == "rejected"
    ended = batch.moved(BatchState.REJECTED if rejected else BatchState.EXPIRED, ended_at=uow.now, code=outcome.code)
    verifications = vdesk.verifications(uow)
    await verifications.release_lines(batch.batch_id, uow.now + AGAIN_AFTER)
    await verifications.save_batch(ended)
