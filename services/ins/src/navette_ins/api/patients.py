"""REST API of identities (through the gateway of psc-auth)."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from navette_chassis import Service, UnitOfWork

from navette_ins.adapters.history import lines_of
from navette_ins.api import french
from navette_ins.api.acts import Desks, change, transact, visible
from navette_ins.api.schemas import (
    HistoryAnswer,
    NewAttribute,
    NewCheck,
    NewPatient,
    PatientAnswer,
)
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.create_patient import create_patient
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.mark_identity import mark_identity
from navette_ins.use_cases.record_identity_check import record_identity_check


def patient_routes(service: Service, desk: Desk, sites: frozenset[str]) -> APIRouter:
    """Create, read, check, mark, history."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def create(caller: Desks, body: NewPatient, response: Response) -> PatientAnswer:
        caller.require_site(body.site_id)
        if sites and body.site_id not in sites:
            raise french.invalid([RuleBroken("site_id", "format")])
        created = await transact(
            service, create_patient, desk, site_id=body.site_id, traits=body.traits(), by=caller.subject
        )
        response.headers["Location"] = f"/patients/{created.patient_id}"
        return PatientAnswer.of(created)

    @router.get("/{patient_id}")
    async def read(caller: Desks, patient_id: str) -> PatientAnswer:
        async def work(uow: UnitOfWork) -> Identity | None:
            identity = await desk.identities(uow).get(patient_id)
            if identity is not None:
                outcome = "granted" if caller.may_act_for(identity.site_id) else "refused"
                action = "ins.read" if identity.recovery is not None else "identity.read"
                await uow.record_access(caller.subject, action, "patient", patient_id, identity.site_id, outcome)
            return identity

        return PatientAnswer.of(visible(await service.transact(work), caller))

    @router.post("/{patient_id}/identity-checks")
    async def check(caller: Desks, patient_id: str, body: NewCheck) -> PatientAnswer:
        changed = await change(
            service, desk, caller, patient_id, record_identity_check, document_kind=body.document_kind
        )
        return PatientAnswer.of(changed)

    @router.post("/{patient_id}/attributes")
    async def mark(caller: Desks, patient_id: str, body: NewAttribute) -> PatientAnswer:
        changed = await change(
            service, desk, caller, patient_id, mark_identity, attribute=body.attribute, present=body.present
        )
        return PatientAnswer.of(changed)

    @router.get("/{patient_id}/history")
    async def history(caller: Desks, patient_id: str) -> HistoryAnswer:
        async def work(uow: UnitOfWork) -> Identity | None:
            return await desk.identities(uow).get(patient_id)

        visible(await service.transact(work), caller)
        return HistoryAnswer(changes=await lines_of(service.database, patient_id))

    return router
