"""Ask INSi for the INS of a person: recorded now, called by a delivery that survives an outage (RIS.INS.04, .40)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from navette_chassis import UnitOfWork, uuid7
from navette_contracts.sealed import Sealed

from navette_ins.adapters.searches import SealedCard, SearchRepository
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity
from navette_ins.domain.insi.card import CardReading, card_query, check_reading, picked
from navette_ins.domain.insi.plan import MAX_CALLS, next_query
from navette_ins.domain.search import Search
from navette_ins.domain.traits import Traits
from navette_ins.domain.wire_names import comparison_key
from navette_ins.use_cases.desk import Desk

CHANNEL = "insi"
MEMORY = timedelta(hours=24)
"""How long a 01 is remembered, and what counts as one coming of a person when no venue is named."""


@dataclass(frozen=True, slots=True)
class CardSearch:
    """A card as read, and which of its beneficiaries the person at the desk picked."""

    reading: CardReading
    beneficiary: int | None


async def request_insi_search(
    uow: UnitOfWork,
    desk: Desk,
    *,
    identity: Identity,
    by: str,
    rpps: str | None = None,
    venue_id: str | None = None,
    card: CardSearch | None = None,
    again: bool = False,
) -> Search:
    """Schedule the search, by card when one was read, else by traits; `again` for a recovered identity too.

    Raises Forbidden when INSi may not be asked, RuleBroken for a name it does not take or an unfit card reading.
    """
    identity.searchable(again=again)
    if desk.rules.needs_professional and rpps is None:
        raise Forbidden("professional_required")
    searches = SearchRepository(uow)
    if await searches.open_for(identity.patient_id):
        raise Forbidden("search_under_way")
    made = await searches.calls_since(uow, identity.patient_id, venue_id, uow.now - MEMORY)
    if made >= MAX_CALLS:
        raise Forbidden("calls_exhausted")
    key, sealed = "", None
    if card is None:
        key = traits_key(desk, identity.traits)
        if await searches.unanswered_lately(key, uow.now):
            raise Forbidden("not_found_today")
    else:
        sealed = _sealed(uow, desk, card)
    search = Search(
        search_id=uuid7(),
        patient_id=identity.patient_id,
        site_id=identity.site_id,
        revision=identity.revision,
        requested_by=by,
        requested_rpps=rpps,
        requested_at=uow.now,
        by_card=card is not None,
        venue_id=venue_id,
        calls_before=made,
    )
    await searches.add(search, key, sealed)
    await uow.schedule(
        CHANNEL, key=search.search_id, group=identity.patient_id, payload={"search_id": search.search_id}
    )
    await uow.record_access(by, "insi.search", "patient", identity.patient_id, identity.site_id, "granted")
    return search


def traits_key(desk: Desk, traits: Traits) -> str:
    """Recognises the same question without holding it. Raises Forbidden when there is nothing to ask."""
    first = next_query(traits, [])
    if first is None:
        raise Forbidden("nothing_to_ask")
    names = "|".join((first.birth_name, first.given_name, comparison_key(traits.birth_given_names)))
    return desk.index.of(names, f"{first.sex}|{first.birth_date}|{traits.birth_place_code}")


def _sealed(uow: UnitOfWork, desk: Desk, card: CardSearch) -> Sealed[SealedCard]:
    check_reading(card.reading, at=uow.now, assertion_required=desk.rules.card_assertion_required)
    chosen = picked(card.reading, card.beneficiary)
    card_query(card.reading, chosen)
    # Nothing of the other beneficiaries is kept.
    kept = SealedCard(reading=card.reading.model_copy(update={"beneficiaries": (chosen,)}), beneficiary=0)
    return Sealed.seal(kept, desk.keyring())
