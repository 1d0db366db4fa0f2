"""The delivery of a search: the calls of the plan, each traced before the next one is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from navette_chassis import Service, UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome
from navette_contracts.events import WhoMustAct

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.insi_soap import Exchange, NoAnswer
from navette_ins.adapters.searches import SealedExchange, find_search
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.faults import Remedy, remedy_of, word
from navette_ins.domain.insi.plan import Asked, final_code, next_query
from navette_ins.domain.insi.reply import FaultReply, Result, Unreadable
from navette_ins.domain.search import Search
from navette_ins.domain.traits import Traits
from navette_ins.use_cases.desk import Desk

_WHO = {
    Remedy.ADMINISTRATOR: WhoMustAct.ADMINISTRATOR,
    Remedy.SECRETARY: WhoMustAct.SECRETARY,
    Remedy.OPERATOR: WhoMustAct.OPERATOR,
}


def run_insi_search(service: Service, desk: Desk) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of the channel. Calls answered by an earlier attempt are not made again."""

    async def attempt(delivery: Delivery) -> Outcome:
        search = await find_search(service.database, delivery.payload["search_id"])
        row = None if search is None else await service.database[IDENTITIES].find_one({"_id": search.patient_id})
        if search is None or row is None:
            return Outcome.permanent("search_unknown", WhoMustAct.OPERATOR)
        identity = identity_of(row, service.keyring)
        if identity.revision != search.revision:
            return Outcome.cancelled("identity_changed")
        return await _calls(service, desk, search, identity.traits)

    return attempt


async def _calls(service: Service, desk: Desk, search: Search, traits: Traits) -> Outcome:
    asked = await desk.exchanges.asked(service.database, search.search_id)
    try:
        while (query := next_query(traits, asked)) is not None:
            exchange = await desk.insi().search(query)
            outcome = _fault_outcome(exchange)
            code = exchange.answer.code if isinstance(exchange.answer, Result) else (outcome.code if outcome else "")
            content = SealedExchange(
                traits=traits, query=asdict(query), reply=exchange.body.decode("utf-8", errors="replace")
            )
            await service.transact(_trace, desk, search, len(asked), exchange.message_id, code, content)
            if outcome is not None:
                return outcome
            asked.append(Asked(query, code))
    except RuleBroken as broken:
        return Outcome.permanent(f"{broken.field}.{broken.rule}", WhoMustAct.SECRETARY)
    return Outcome.delivered(final_code(asked))


async def _trace(
    uow: UnitOfWork, desk: Desk, search: Search, number: int, message_id: str, code: str, content: SealedExchange
) -> None:
    await desk.exchanges.record(uow, search=search, number=number, message_id=message_id, code=code, content=content)
    await uow.record_access(search.requested_by, "insi.call", "patient", search.patient_id, search.site_id, "granted")


def _fault_outcome(exchange: Exchange) -> Outcome | None:
    """None for an answer 00, 01 or 02; otherwise who or what must end the fault (table of domain.insi.faults)."""
    answer = exchange.answer
    if isinstance(answer, NoAnswer):
        return Outcome.transient(answer.why, endpoint_down=True)
    if isinstance(answer, Unreadable):
        return Outcome.transient(f"unreadable.{answer.why}")
    if isinstance(answer, FaultReply):
        remedy = remedy_of(answer)
        if remedy is Remedy.LATER:
            return Outcome.transient(word(answer), endpoint_down=True)
        return Outcome.permanent(word(answer), _WHO[remedy])
    return None
