"""What the one active scheduler does each round: apply what came back, warn, cut what is due (RIS.INS.42, .43)."""

from __future__ import annotations

import structlog
from navette_chassis import Service, UnitOfWork

from navette_ins.adapters.verifications import LINES, open_batches
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.verification import AGAIN_AFTER, AGAIN_AFTER_KO, Batch, BatchState, Verdict
from navette_ins.use_cases.open_case import open_case
from navette_ins.use_cases.prepare_verification_batch import prepare_verification_batch
from navette_ins.use_cases.verification_desk import UNATTENDED, VerificationDesk

log = structlog.get_logger("navette.ins")

OPEN_BATCHES = 4
"""Batches under way at most: a stock of five years is cut over several rounds."""
_UNDER_WAY = (BatchState.PREPARED, BatchState.DEPOSITED, BatchState.PENDING, BatchState.READY, BatchState.WITHDRAWN)


async def verification_round(service: Service, vdesk: VerificationDesk) -> None:
    """One round; each step is a transaction of its own, so that a round cut short is taken up by the next."""
    for batch in await open_batches(service.database, BatchState.WITHDRAWN):
        await _apply(service, vdesk, batch)
    under_way = await open_batches(service.database, *_UNDER_WAY)
    for batch in under_way:
        if batch.expires_soon(service.clock.now()):
            await service.transact(_alarm, vdesk, batch.batch_id)
            log.warning("verification.result_expires_soon", code=batch.state.value, count=batch.sent)
    if not vdesk.verifier().batches_possible:
        return
    for _ in range(OPEN_BATCHES - len(under_way)):
        if await service.transact(prepare_verification_batch, vdesk) is None:
            return


async def _apply(service: Service, vdesk: VerificationDesk, batch: Batch) -> None:
    query = {"batch_id": batch.batch_id, "applied": None}
    for row in await service.database[LINES].find(query, {"_id": 1}).to_list():
        await service.transact(_apply_line, vdesk, batch, str(row["_id"]))
    counts: dict[str, int] = {}
    for row in await service.database[LINES].find({"batch_id": batch.batch_id}, {"applied": 1}).to_list():
        counts[row["applied"]] = counts.get(row["applied"], 0) + 1
    await service.transact(_applied, vdesk, batch.batch_id, counts)


async def _apply_line(uow: UnitOfWork, vdesk: VerificationDesk, batch: Batch, line_id: str) -> None:
    verifications = vdesk.verifications(uow)
    line = await verifications.line_to_apply(line_id)
    if line is None:
        return
    patient_id = line["patient_id"]
    identity = await vdesk.desk.identities(uow).get(patient_id)
    if identity is None or identity.revision != line["revision"]:
        # The verdict is about traits or a number that are no longer those of the record: asked again at once.
        came_to = "stale"
        await verifications.again(patient_id, uow.now)
    elif line["verdict"] == Verdict.OK:
        came_to = "ok"
        await verifications.positive(patient_id, batch.deposited_at or uow.now)
    elif line["verdict"] == Verdict.KO:
        came_to = "ko"
        await open_case(uow, CaseKind.VERIFICATION_KO, [identity], reason="verification_ko", by=UNATTENDED)
        await verifications.again(patient_id, uow.now + AGAIN_AFTER_KO)
    else:
        came_to = "technical"
        await verifications.again(patient_id, uow.now + AGAIN_AFTER)
    await verifications.line_applied(line_id, came_to)
    await uow.record_access(UNATTENDED, "insi.verify", "patient", patient_id, line["site_id"], "granted")


async def _applied(uow: UnitOfWork, vdesk: VerificationDesk, batch_id: str, counts: dict[str, int]) -> None:
    verifications = vdesk.verifications(uow)
    batch = await verifications.batch(batch_id)
    if batch is not None and batch.state is BatchState.WITHDRAWN:
        await verifications.save_batch(batch.moved(BatchState.APPLIED, ended_at=uow.now, counts=counts))


async def _alarm(uow: UnitOfWork, vdesk: VerificationDesk, batch_id: str) -> None:
    verifications = vdesk.verifications(uow)
    batch = await verifications.batch(batch_id)
    if batch is not None and batch.alarmed_at is None:
        await verifications.save_batch(batch.model_copy(update={"alarmed_at": uow.now}))
