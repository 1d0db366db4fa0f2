"""What a finished search changes: accepted when every decisive trait agrees, else put before a person (RIS.INS.13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind

from navette_ins.adapters.app_readings import reading_in
from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.comparison import compare
from navette_ins.domain.insi.reply import Individual, Result, read_reply
from navette_ins.domain.search import Search, SearchState
from navette_ins.use_cases.accept_insi_answer import accept_insi_answer, differences_to_decide, says_otherwise
from navette_ins.use_cases.desk import Desk

AUTOMATIC = "insi-auto"
_WITHOUT_PERSON = {"01": SearchState.NOT_FOUND, "02": SearchState.SEVERAL}


def settle_insi_search(desk: Desk) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of the channel."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        searches = SearchRepository(uow)
        search = await searches.get(delivery.payload["search_id"])
        if search is None:
            return
        if outcome.kind is not OutcomeKind.DELIVERED:
            state = SearchState.OUTDATED if outcome.kind is OutcomeKind.CANCELLED else SearchState.FAILED
            update = {"state": state, "code": outcome.code, "who_must_act": outcome.who_must_act.value}
            await searches.save(search.model_copy(update=update))
        elif outcome.code in _WITHOUT_PERSON:
            update = {"state": _WITHOUT_PERSON[outcome.code], "code": outcome.code, "who_must_act": "secretary"}
            await searches.save(search.model_copy(update=update))
        else:
            await _found(uow, desk, search)

    return settle


async def _found(uow: UnitOfWork, desk: Desk, search: Search) -> None:
    searches = SearchRepository(uow)
    identity = await desk.identities(uow).get(search.patient_id)
    found = await individual_of(uow, desk, search)
    if identity is None or found is None or identity.revision != search.revision:
        await searches.save(search.model_copy(update={"state": SearchState.OUTDATED, "who_must_act": "secretary"}))
        return
    said = compare(identity.traits, found)
    update: dict[str, object]
    if said.unusable is not None:
        update = {"state": SearchState.UNUSABLE, "code": said.unusable, "who_must_act": "secretary"}
        await searches.save(search.model_copy(update=update))
    elif said.agrees and not says_otherwise(identity, found):
        await accept_insi_answer(uow, desk, search, identity, found, by=AUTOMATIC)
    else:
        differences = differences_to_decide(identity, found, said)
        update = {"state": SearchState.TO_DECIDE, "code": "00", "differences": differences, "who_must_act": "secretary"}
        await searches.save(search.model_copy(update=update))


async def individual_of(uow: UnitOfWork, desk: Desk, search: Search) -> Individual | None:
    """The person of the last reply of a search, read again from the reply as received."""
    exchange = await desk.exchanges.last(uow, search.search_id)
    return None if exchange is None else individual_in(exchange.reply, by_app=search.by_app)


def individual_in(reply: bytes, *, by_app: bool) -> Individual | None:
    """The person of a reply as received, or of a reading of the Appli carte Vitale."""
    if by_app:
        return reading_in(reply.decode()).individual()
    read = read_reply(reply)
    return read.individual if isinstance(read, Result) else None
