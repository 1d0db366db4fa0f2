"""The delivery of a search: the calls of the plan, each traced before the next one is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from navette_chassis import Service, UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome
from navette_contracts.events import WhoMustAct

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.insi_soap import Exchange, NoAnswer, Requester
from navette_ins.adapters.searches import SealedExchange, find_card, find_search
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.card import CARD_READING_LASTS, CardQuery, card_query
from navette_ins.domain.insi.faults import Remedy, remedy_of, word
from navette_ins.domain.insi.plan import MAX_CALLS, Asked, Query, final_code, next_query
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
        calls = _Calls(service, desk, search, identity.traits)
        try:
            return await (calls.by_card() if search.by_card else calls.by_traits())
        except RuleBroken as broken:
            return Outcome.permanent(f"{broken.field}.{broken.rule}", WhoMustAct.SECRETARY)

    return attempt


class _Calls:
    """The calls of one search."""

    def __init__(self, service: Service, desk: Desk, search: Search, traits: Traits) -> None:
        self._service = service
        self._desk = desk
        self._search = search
        self._traits = traits
        self._answered = 0

    async def by_traits(self) -> Outcome:
        asked = await self._desk.exchanges.asked(self._service.database, self._search.search_id)
        allowed = MAX_CALLS - self._search.calls_before
        while (query := next_query(self._traits, asked, allowed=allowed)) is not None:
            self._answered = len(asked)
            outcome, code = await self._ask(query, Requester(self._search.requested_rpps))
            if outcome is not None:
                return outcome
            asked.append(Asked(query, code))
        return Outcome.delivered(final_code(asked))

    async def by_card(self) -> Outcome:
        card = await find_card(self._service.database, self._search.search_id, self._service.keyring)
        now = self._service.clock.now()
        if card is None or now - card.reading.read_at >= CARD_READING_LASTS:
            return Outcome.cancelled("card_reading_too_old")
        query = card_query(card.reading, card.reading.beneficiaries[card.beneficiary])
        requester = Requester(self._search.requested_rpps, card.reading.assertion)
        outcome, code = await self._ask(query, requester)
        return Outcome.delivered(code) if outcome is None else outcome

    async def _ask(self, query: Query | CardQuery, requester: Requester) -> tuple[Outcome | None, str]:
        insi = self._desk.insi()

        async def trace(exchange: Exchange) -> None:
            content = SealedExchange(traits=self._traits, query=asdict(query), reply=exchange.body)
            await self._service.transact(
                _trace, self._desk, self._search, exchange, self._answered, code_of(exchange), insi.mode, content
            )

        exchange = await insi.search(query, requester, trace)
        return outcome_of(exchange), code_of(exchange)


async def _trace(
    uow: UnitOfWork,
    desk: Desk,
    search: Search,
    exchange: Exchange,
    number: int,
    code: str,
    mode: str,
    content: SealedExchange,
) -> None:
    await desk.exchanges.record(
        uow, search=search, exchange=exchange, number=number, code=code, mode=mode, content=content
    )
    await uow.record_access(search.requested_by, "insi.call", "patient", search.patient_id, search.site_id, "granted")


def code_of(exchange: Exchange) -> str:
    """CodeCR, or the word of what came instead."""
    outcome = outcome_of(exchange)
    if isinstance(exchange.answer, Result):
        return exchange.answer.code
    return "" if outcome is None else outcome.code


def outcome_of(exchange: Exchange) -> Outcome | None:
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
