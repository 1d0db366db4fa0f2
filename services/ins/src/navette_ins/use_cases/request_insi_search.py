"""Ask INSi for the INS of a person: recorded now, called by a delivery that survives an outage (RIS.INS.04, .40)."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.domain.insi.plan import next_query
from navette_ins.domain.search import Search
from navette_ins.use_cases.desk import Desk

CHANNEL = "insi"


async def request_insi_search(uow: UnitOfWork, desk: Desk, *, identity: Identity, by: str) -> Search:
    """Schedule the search. Raises Forbidden when INSi may not be asked, RuleBroken for a name it does not take."""
    identity.searchable()
    first = next_query(identity.traits, [])
    if first is None:
        raise Forbidden("nothing_to_ask")
    searches = SearchRepository(uow)
    key = desk.index.of(f"{first.birth_name}|{first.sex}|{first.birth_date}", identity.traits.birth_given_names)
    if await searches.open_for(identity.patient_id):
        raise Forbidden("search_under_way")
    if await searches.unanswered_lately(key, uow.now):
        raise Forbidden("not_found_today")
    search = Search(
        search_id=uuid7(),
        patient_id=identity.patient_id,
        site_id=identity.site_id,
        revision=identity.revision,
        requested_by=by,
        requested_at=uow.now,
    )
    await searches.add(search, key)
    await uow.schedule(
        CHANNEL, key=search.search_id, group=identity.patient_id, payload={"search_id": search.search_id}
    )
    await uow.record_access(by, "insi.search", "patient", identity.patient_id, identity.site_id, "granted")
    return search
