"""Routes of INSi: search by traits or by carte Vitale, follow a search, decide on its result."""

from __future__ import annotations

from fastapi import APIRouter, status
from navette_chassis import Service
from navette_chassis.auth import Principal
from navette_chassis.problem import ProblemError

from navette_ins.adapters.searches import find_search
from navette_ins.api.acts import Desks, change, transact
from navette_ins.api.card_schemas import CardSearchRequest, VenueId
from navette_ins.api.schemas import Decision, SearchAnswer
from navette_ins.domain.search import Search
from navette_ins.use_cases.decide_insi_result import decide_insi_result
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.request_insi_search import request_insi_search


def insi_routes(service: Service, desk: Desk) -> APIRouter:
    """Search in INSi, follow a search, decide on its result."""
    router = APIRouter(prefix="/patients", tags=["insi"])

    @router.post("/{patient_id}/insi-search", status_code=status.HTTP_202_ACCEPTED)
    async def search(caller: Desks, patient_id: str, venue_id: VenueId = None) -> SearchAnswer:
        requested: Search = await change(
            service, desk, caller, patient_id, request_insi_search, rpps=caller.rpps, venue_id=venue_id
        )
        return SearchAnswer.of(requested)

    @router.post("/{patient_id}/insi-card-search", status_code=status.HTTP_202_ACCEPTED)
    async def search_by_card(caller: Desks, patient_id: str, body: CardSearchRequest) -> SearchAnswer:
        requested: Search = await change(
            service,
            desk,
            caller,
            patient_id,
            request_insi_search,
            rpps=caller.rpps,
            venue_id=body.venue_id,
            card=body.card(),
        )
        return SearchAnswer.of(requested)

    @router.get("/{patient_id}/insi-calls/{call_id}")
    async def read_search(caller: Desks, patient_id: str, call_id: str) -> SearchAnswer:
        return SearchAnswer.of(_of_patient(await find_search(service.database, call_id), patient_id, caller))

    @router.post("/{patient_id}/insi-calls/{call_id}/decision")
    async def decide(caller: Desks, patient_id: str, call_id: str, body: Decision) -> SearchAnswer:
        _of_patient(await find_search(service.database, call_id), patient_id, caller)
        decided = await transact(
            service, decide_insi_result, desk, search_id=call_id, accepted=body.accepted, by=caller.subject
        )
        return SearchAnswer.of(_of_patient(decided, patient_id, caller))

    return router


def _of_patient(search: Search | None, patient_id: str, caller: Principal) -> Search:
    if search is None or search.patient_id != patient_id:
        raise ProblemError.not_found()
    caller.require_site(search.site_id)
    return search
