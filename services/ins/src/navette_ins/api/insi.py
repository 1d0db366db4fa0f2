"""Routes of INSi: search by traits or by carte Vitale, follow a search, decide on its result."""

from __future__ import annotations

from fastapi import APIRouter, status
from navette_chassis import Service
from navette_chassis.problem import ProblemError

from navette_ins.adapters.app_readings import AppReaders
from navette_ins.adapters.searches import find_search
from navette_ins.api.acts import change, transact
from navette_ins.api.card_schemas import AppReadingRequest, CardSearchRequest, VenueId
from navette_ins.api.rights import Caller, InsiCaller, Qualifier, Reader
from navette_ins.api.schemas import Decision, SearchAnswer
from navette_ins.domain.rights import Right
from navette_ins.domain.search import Search
from navette_ins.use_cases.decide_insi_result import Word, decide_insi_result
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.request_insi_search import request_insi_search
from navette_ins.use_cases.take_app_reading import Shown, take_app_reading


def insi_routes(service: Service, desk: Desk, readers: AppReaders) -> APIRouter:
    """Search in INSi, follow a search, decide on its result."""
    router = APIRouter(prefix="/patients", tags=["insi"])

    @router.post("/{patient_id}/insi-search", status_code=status.HTTP_202_ACCEPTED)
    async def search_ins(
        caller: InsiCaller, patient_id: str, venue_id: VenueId = None, again: bool = False
    ) -> SearchAnswer:
        """Ask INSi by traits; a durable delivery makes the calls. `again`: for an identity already recovered."""
        requested: Search = await change(
            service, desk, caller, patient_id, request_insi_search, rpps=caller.rpps, venue_id=venue_id, again=again
        )
        return SearchAnswer.of(requested)

    @router.post("/{patient_id}/insi-card-search", status_code=status.HTTP_202_ACCEPTED)
    async def search_ins_by_card(caller: InsiCaller, patient_id: str, body: CardSearchRequest) -> SearchAnswer:
        """Ask INSi with what was read of a carte Vitale."""
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

    @router.post("/{patient_id}/app-vitale-reading")
    async def take_reading_of_app(caller: Qualifier, patient_id: str, body: AppReadingRequest) -> SearchAnswer:
        """Take over what a reader signed of the Appli carte Vitale: INS and high-trust check in one act."""
        if not readers.configured:
            raise ProblemError(503, "app-vitale-not-configured", "Lecture de l’Appli carte Vitale non configurée.")
        shown = Shown(body.reading, readers, production=service.settings.environment == "production")
        taken: Search = await change(
            service, desk, caller, patient_id, take_app_reading, shown=shown, venue_id=body.venue_id
        )
        return SearchAnswer.of(taken)

    @router.get("/{patient_id}/insi-calls/{call_id}")
    async def read_search(caller: Reader, patient_id: str, call_id: str) -> SearchAnswer:
        """What a search came to, and what to do next."""
        return SearchAnswer.of(_of_patient(await find_search(service.database, call_id), patient_id, caller))

    @router.post("/{patient_id}/insi-calls/{call_id}/decision")
    async def decide_on_search(caller: InsiCaller, patient_id: str, call_id: str, body: Decision) -> SearchAnswer:
        """Accept or refuse INSi's answer after the comparison. Decisive differences are confirmed by name."""
        search = _of_patient(await find_search(service.database, call_id), patient_id, caller)
        if search.by_app and body.accepted:
            caller.also(Right.QUALIFY).require_site(search.site_id)
        word = Word(body.accepted, body.confirmed, body.document_kind)
        decided = await transact(service, decide_insi_result, desk, search_id=call_id, word=word, by=caller.subject)
        return SearchAnswer.of(_of_patient(decided, patient_id, caller))

    return router


def _of_patient(search: Search | None, patient_id: str, caller: Caller) -> Search:
    if search is None or search.patient_id != patient_id:
        raise ProblemError.not_found()
    caller.require_sight(search.site_id)
    return search
