"""REST API of identities (through the gateway of psc-auth)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Response, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError

from navette_ins.adapters.identities import HISTORY, Change
from navette_ins.adapters.searches import find_search
from navette_ins.api import french
from navette_ins.api.schemas import (
    Decision,
    HistoryAnswer,
    NewAttribute,
    NewCheck,
    NewPatient,
    PatientAnswer,
    SearchAnswer,
)
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import Search
from navette_ins.use_cases.create_patient import TraitsRefused, create_patient
from navette_ins.use_cases.decide_insi_result import decide_insi_result
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.mark_identity import mark_identity
from navette_ins.use_cases.record_identity_check import record_identity_check
from navette_ins.use_cases.request_insi_search import request_insi_search

Desks = Annotated[Principal, require("secretary", "technologist", "radiologist")]
"""Those who work with identities at a site."""

T = TypeVar("T")


def patient_routes(service: Service, desk: Desk, sites: frozenset[str]) -> APIRouter:
    """Create, read, check, mark, history."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def create(caller: Desks, body: NewPatient, response: Response) -> PatientAnswer:
        caller.require_site(body.site_id)
        if sites and body.site_id not in sites:
            raise french.invalid([RuleBroken("site_id", "format")])
        created = await _transact(
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

        return PatientAnswer.of(_visible(await service.transact(work), caller))

    @router.post("/{patient_id}/identity-checks")
    async def check(caller: Desks, patient_id: str, body: NewCheck) -> PatientAnswer:
        changed = await _change(
            service, desk, caller, patient_id, record_identity_check, document_kind=body.document_kind
        )
        return PatientAnswer.of(changed)

    @router.post("/{patient_id}/attributes")
    async def mark(caller: Desks, patient_id: str, body: NewAttribute) -> PatientAnswer:
        changed = await _change(
            service, desk, caller, patient_id, mark_identity, attribute=body.attribute, present=body.present
        )
        return PatientAnswer.of(changed)

    @router.get("/{patient_id}/history")
    async def history(caller: Desks, patient_id: str) -> HistoryAnswer:
        async def work(uow: UnitOfWork) -> Identity | None:
            return await desk.identities(uow).get(patient_id)

        _visible(await service.transact(work), caller)
        rows = await service.database[HISTORY].find({"patient_id": patient_id}).to_list()
        changes = [Change.model_validate(row["change"]) for row in rows]
        return HistoryAnswer(changes=sorted(changes, key=lambda one: one.revision))

    return router


def insi_routes(service: Service, desk: Desk) -> APIRouter:
    """Search in INSi, follow a search, decide on its result."""
    router = APIRouter(prefix="/patients", tags=["insi"])

    @router.post("/{patient_id}/insi-search", status_code=status.HTTP_202_ACCEPTED)
    async def search(caller: Desks, patient_id: str) -> SearchAnswer:
        requested: Search = await _change(service, desk, caller, patient_id, request_insi_search)
        return SearchAnswer.of(requested)

    @router.get("/{patient_id}/insi-calls/{call_id}")
    async def read_search(caller: Desks, patient_id: str, call_id: str) -> SearchAnswer:
        return SearchAnswer.of(_of_patient(await find_search(service.database, call_id), patient_id, caller))

    @router.post("/{patient_id}/insi-calls/{call_id}/decision")
    async def decide(caller: Desks, patient_id: str, call_id: str, body: Decision) -> SearchAnswer:
        _of_patient(await find_search(service.database, call_id), patient_id, caller)
        decided = await _transact(
            service, decide_insi_result, desk, search_id=call_id, accepted=body.accepted, by=caller.subject
        )
        return SearchAnswer.of(_of_patient(decided, patient_id, caller))

    return router


async def _change(
    service: Service,
    desk: Desk,
    caller: Principal,
    patient_id: str,
    use_case: Callable[..., Awaitable[T]],
    **arguments: Any,
) -> T:
    """Run a use case on an identity of the caller's site."""

    async def work(uow: UnitOfWork) -> T:
        identity = _visible(await desk.identities(uow).get(patient_id), caller)
        return await use_case(uow, desk, identity=identity, by=caller.subject, **arguments)

    return await _transact(service, work)


async def _transact(service: Service, use_case: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
    """Run a use case and tell broken rules as a person reads them."""
    try:
        return await service.transact(use_case, *args, **kwargs)
    except TraitsRefused as refused:
        raise french.invalid(refused.broken) from None
    except RuleBroken as broken:
        raise french.invalid([broken]) from None
    except Forbidden as error:
        raise french.forbidden(error) from None


def _visible(identity: Identity | None, caller: Principal) -> Identity:
    if identity is None:
        raise ProblemError.not_found()
    caller.require_site(identity.site_id)
    return identity


def _of_patient(search: Search | None, patient_id: str, caller: Principal) -> Search:
    if search is None or search.patient_id != patient_id:
        raise ProblemError.not_found()
    caller.require_site(search.site_id)
    return search
