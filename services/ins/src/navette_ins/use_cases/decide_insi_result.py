"""A person who saw both sides accepts or refuses INSi's answer (spec/ins.md §4.3)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.search import Search, SearchState
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.settle_insi_search import accept, individual_of


async def decide_insi_result(uow: UnitOfWork, desk: Desk, *, search_id: str, accepted: bool, by: str) -> Search | None:
    """Record the decision; None when there is no such search. Raises Forbidden when nothing is to be decided."""
    searches = SearchRepository(uow)
    search = await searches.get(search_id)
    if search is None:
        return None
    identity = await desk.identities(uow).get(search.patient_id)
    if search.state is not SearchState.TO_DECIDE or identity is None:
        raise Forbidden("nothing_to_decide")
    found = await individual_of(uow, desk, search)
    if found is None or identity.revision != search.revision:
        raise Forbidden("identity_changed")
    if accepted:
        await accept(uow, desk, search, identity, found, by=by)
    else:
        update = {"state": SearchState.REFUSED, "who_must_act": "secretary", "decided_by": by, "decided_at": uow.now}
        await searches.save(search.model_copy(update=update))
    await uow.record_access(by, "insi.decide", "patient", search.patient_id, search.site_id, "granted")
    return await searches.get(search_id)
