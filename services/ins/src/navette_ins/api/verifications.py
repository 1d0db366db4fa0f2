"""Routes of verification: ask for one, who is due, how the batches went (RIS.INS.42, RIS.INS.48)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.problem import ProblemError

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.verifications import BATCHES, CHECKS, DUE, LINES, batch_of, due_query
from navette_ins.adapters.verifier import VerificationNotConfigured
from navette_ins.api.acts import transact, visible
from navette_ins.api.received_ins import not_configured, received_routes
from navette_ins.api.rights import Caller, InsiCaller, Supervisor
from navette_ins.api.verification_schemas import BatchAnswer, BatchList, CheckAnswer, DueAnswer, DueItem
from navette_ins.domain.matricule_display import masked
from navette_ins.domain.rights import Right
from navette_ins.domain.verification import Check
from navette_ins.use_cases.request_verification import request_verification
from navette_ins.use_cases.verification_desk import VerificationDesk


def verification_routes(service: Service, vdesk: VerificationDesk) -> APIRouter:
    """Verification of one identity, the worklist of what is due, the batches."""
    router = APIRouter(tags=["verification"])

    @router.post("/patients/{patient_id}/verifications", status_code=status.HTTP_202_ACCEPTED)
    async def verify_identity(caller: InsiCaller, patient_id: str) -> CheckAnswer:
        async def work(uow: UnitOfWork) -> Check:
            identity = visible(await vdesk.desk.identities(uow).get(patient_id), caller)
            return await request_verification(uow, vdesk, identity=identity, by=caller.subject)

        try:
            return CheckAnswer.of(await transact(service, work))
        except VerificationNotConfigured:
            raise not_configured() from None

    @router.get("/patients/{patient_id}/verifications/{check_id}")
    async def read_verification(caller: InsiCaller, patient_id: str, check_id: str) -> CheckAnswer:
        row = await service.database[CHECKS].find_one({"_id": check_id, "patient_id": patient_id})
        if row is None:
            raise ProblemError.not_found()
        check = Check.model_validate(row["check"])
        caller.require_sight(check.site_id)
        return CheckAnswer.of(check)

    @router.get("/worklists/verification-due")
    async def list_verifications_due(caller: InsiCaller, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> DueAnswer:
        now = service.clock.now()
        query = due_query(now - vdesk.period, now) | {"site_id": {"$in": sorted(caller.sites)}}
        rows = await service.database[DUE].find(query).sort("positive_at", 1).limit(limit).to_list()
        items = []
        for row in rows:
            held = await service.database[IDENTITIES].find_one({"_id": row["_id"]})
            identity = None if held is None else identity_of(held, service.keyring)
            if identity is not None and identity.recovery is not None:
                items.append(
                    DueItem(
                        patient_id=identity.patient_id,
                        site_id=identity.site_id,
                        last_positive_at=row["positive_at"],
                        masked_matricule=_masked(caller, identity.site_id, identity.recovery.matricule),
                    )
                )

        async def trace(uow: UnitOfWork) -> None:
            for one in items:
                await uow.record_access(caller.subject, "ins.listed", "patient", one.patient_id, one.site_id, "granted")

        await transact(service, trace)
        verifier = vdesk.verifier()
        return DueAnswer.of(items, unit=verifier.unit_possible, batches=verifier.batches_possible)

    _batches(router, service)
    router.include_router(received_routes(service, vdesk))
    return router


def _masked(caller: Caller, site_id: str, matricule: str) -> str:
    """Even a part of the number is for those who may see it."""
    return masked(matricule) if caller.also(Right.SEE_INS).may_act_for(site_id) else ""


def _batches(router: APIRouter, service: Service) -> None:
    @router.get("/verification-batches")
    async def list_verification_batches(caller: Supervisor) -> BatchList:
        rows = await service.database[BATCHES].find().sort("_id", -1).limit(50).to_list()
        return BatchList(batches=[BatchAnswer.of(batch_of(row), [], caller.sites) for row in rows])

    @router.get("/verification-batches/{batch_id}")
    async def read_verification_batch(caller: Supervisor, batch_id: str) -> BatchAnswer:
        row = await service.database[BATCHES].find_one({"_id": batch_id})
        if row is None:
            raise ProblemError.not_found()
        lines = await service.database[LINES].find({"batch_id": batch_id, "applied": "ko"}).to_list()
        return BatchAnswer.of(batch_of(row), lines, caller.sites)
