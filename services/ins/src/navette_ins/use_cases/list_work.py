"""What waits for somebody at a site, each item with what to do next (spec/ins.md §4.4, §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from navette_chassis import Service

from navette_ins.adapters.cases import pending_cases
from navette_ins.adapters.venues import open_venues
from navette_ins.adapters.worklists import doubtful_ids, identities_by_id, last_searches, searches_ended
from navette_ins.domain.cases import Case, CaseKind, CaseState
from navette_ins.domain.homonyms import newborn
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import SearchState
from navette_ins.domain.worklists import NextStep, Worklist, doubtful, searchable, step_to_qualify
from navette_ins.use_cases.desk import Desk


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One thing to do."""

    identity: Identity
    since: datetime
    step: NextStep
    venue_id: str | None = None
    call_id: str | None = None
    case: Case | None = None
    others: tuple[str, ...] = ()
    """Ids of the other records of a case."""


async def list_work(service: Service, desk: Desk, worklist: Worklist, site_id: str) -> list[Item]:
    """The items of one list of a site, oldest first."""
    if worklist in (Worklist.TO_QUALIFY, Worklist.INS_TO_SEARCH):
        return await _present(service, desk, worklist, site_id)
    if worklist in _SEARCHES:
        return await _searched(service, desk, worklist, site_id)
    if worklist is Worklist.DOUBTFUL:
        known = await identities_by_id(service.database, await doubtful_ids(service.database, site_id), desk.keyring())
        items = [Item(one, one.updated_at, NextStep.LIFT_DOUBT) for one in known.values() if doubtful(one)]
        return sorted(items, key=lambda one: one.since)
    return await _cases(service, desk, worklist, site_id)


async def _present(service: Service, desk: Desk, worklist: Worklist, site_id: str) -> list[Item]:
    today = service.clock.now().astimezone(desk.time_zone).date().isoformat()
    venues = await open_venues(service.database, site_id, today)
    ids = [one.patient_id for one in venues]
    known = await identities_by_id(service.database, ids, desk.keyring())
    last = await last_searches(service.database, ids) if worklist is Worklist.INS_TO_SEARCH else {}
    items = []
    for venue in venues:
        identity = known.get(venue.patient_id)
        if identity is None:
            continue
        if worklist is Worklist.TO_QUALIFY:
            step = step_to_qualify(identity)
        else:
            search = last.get(identity.patient_id)
            answered = search is not None and search.revision == identity.revision and search.state in _ANSWERED
            running = search is not None and search.state is SearchState.REQUESTED
            step = None if answered or not searchable(identity) else NextStep.SEARCH_INS
            step = NextStep.WAIT_FOR_INSI if step is not None and running else step
        if step is not None:
            items.append(Item(identity, venue.opened_at, step, venue_id=venue.venue_id))
    return items


_ANSWERED = frozenset(SearchState) - {
    SearchState.REQUESTED,
    SearchState.FAILED,
    SearchState.OUTDATED,
}
_SEARCHES = {
    Worklist.SEVERAL_ANSWERS: (SearchState.SEVERAL, NextStep.ADD_GIVEN_NAMES_OR_PLACE),
    Worklist.TO_DECIDE: (SearchState.TO_DECIDE, NextStep.COMPARE_AND_DECIDE),
    Worklist.NOT_FOUND: (SearchState.NOT_FOUND, NextStep.CHECK_BIRTH_NAME),
}


async def _searched(service: Service, desk: Desk, worklist: Worklist, site_id: str) -> list[Item]:
    """Searches whose answer still counts: nothing of the record changed since, and no INS came meanwhile."""
    state, step = _SEARCHES[worklist]
    searches = await searches_ended(service.database, site_id, (state,))
    known = await identities_by_id(service.database, [one.patient_id for one in searches], desk.keyring())
    today = service.clock.now().astimezone(desk.time_zone).date()
    items: dict[str, Item] = {}
    for search in searches:
        identity = known.get(search.patient_id)
        if identity is None or identity.merged_into is not None or identity.revision != search.revision:
            continue
        newborn_there = worklist is Worklist.NOT_FOUND and newborn(identity.traits, today=today)
        next_step = NextStep.SEARCH_LATER if newborn_there else step
        items[identity.patient_id] = Item(identity, search.requested_at, next_step, call_id=search.search_id)
    return list(items.values())


_CASES = {
    Worklist.DUPLICATES: (CaseKind.DUPLICATE, CaseKind.COLLISION, CaseKind.HOMONYM),
    Worklist.VERIFICATION_KO: (CaseKind.VERIFICATION_KO, CaseKind.RECEIVED_INS_KO),
}
_STEPS = {
    CaseKind.DUPLICATE: NextStep.LOOK_AND_DECIDE,
    CaseKind.COLLISION: NextStep.LOOK_AT_COLLISION,
    CaseKind.HOMONYM: NextStep.LOOK_AT_HOMONYM,
    CaseKind.VERIFICATION_KO: NextStep.CONFIRM_KO,
    CaseKind.RECEIVED_INS_KO: NextStep.ASK_THE_SENDER,
}


async def _cases(service: Service, desk: Desk, worklist: Worklist, site_id: str) -> list[Item]:
    """Each pending case once, under its record of this site."""
    cases = await pending_cases(service.database, [site_id], _CASES[worklist])
    ids = [patient_id for case in cases for patient_id in case.patient_ids]
    known = await identities_by_id(service.database, ids, desk.keyring())
    items = []
    for case in cases:
        here = next((known[one] for one in case.patient_ids if one in known and known[one].site_id == site_id), None)
        if here is None:
            continue
        confirmed = case.kind is CaseKind.DUPLICATE and case.state is CaseState.CONFIRMED
        step = NextStep.MERGE if confirmed else _STEPS[case.kind]
        others = tuple(one for one in case.patient_ids if one != here.patient_id)
        items.append(Item(here, case.opened_at, step, case=case, others=others))
    return items
