"""The person at the desk showed the Appli carte Vitale: INS and document in one act (spec/ins.md §2.5, §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

from navette_chassis import UnitOfWork, uuid7
from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import check_ins_oid

from navette_ins.adapters.app_readings import AppReaders
from navette_ins.adapters.insi_soap import Exchange
from navette_ins.adapters.searches import BY_APP, SealedExchange, SearchRepository
from navette_ins.domain.comparison import compare
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.insi.app_reading import AppReading
from navette_ins.domain.insi.reply import Result
from navette_ins.domain.search import Search, SearchState
from navette_ins.use_cases.accept_insi_answer import accept_insi_answer, differences_to_decide, says_otherwise
from navette_ins.use_cases.desk import Desk

OPERATION = "lireAppliCarteVitale"


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A signed reading and the readers it may come from."""

    signed: str
    readers: AppReaders
    production: bool


async def take_app_reading(
    uow: UnitOfWork, desk: Desk, *, identity: Identity, by: str, shown: Shown, venue_id: str | None = None
) -> Search:
    """Take the reading over when every decisive trait agrees, else put it before a person, as an answer of INSi.

    Raises RuleBroken for a reading that is not one, is old or of a test base in production; Forbidden for a doubtful,
    fictive or merged record, a completed birth date, and a reading that was used before.
    """
    identity.takes_app_reading()
    reading = shown.readers.read(shown.signed)
    reading.fresh(at=uow.now)
    try:
        check_ins_oid(reading.oid, production=shown.production)
    except InvalidValue as invalid:
        raise RuleBroken("oid", invalid.rule) from None
    searches = SearchRepository(uow)
    key = desk.index.of(reading.reading_id, "app-reading")
    if await searches.known(key):
        raise Forbidden("reading_used")
    search = Search(
        search_id=uuid7(),
        patient_id=identity.patient_id,
        site_id=identity.site_id,
        revision=identity.revision,
        requested_by=by,
        requested_at=uow.now,
        by_app=True,
        venue_id=venue_id,
    )
    await searches.add(search, key)
    await _trace(uow, desk, search, identity, reading, shown.signed)
    await _settle(uow, desk, search, identity, reading, by=by)
    await uow.record_access(by, "app-vitale.read", "patient", identity.patient_id, identity.site_id, "granted")
    ended = await searches.get(search.search_id)
    assert ended is not None
    return ended


async def _trace(
    uow: UnitOfWork, desk: Desk, search: Search, identity: Identity, reading: AppReading, signed: str
) -> None:
    exchange = Exchange(
        message_id=reading.reading_id,
        operation=OPERATION,
        sent_at=reading.read_at,
        received_at=uow.now,
        sender=search.requested_by,
        answer=Result("00", reading.individual()),
        body=signed.encode(),
    )
    content = SealedExchange(traits=identity.traits, query={}, reply=exchange.body)
    await desk.exchanges.record(
        uow, search=search, exchange=exchange, number=0, code=BY_APP, mode="app", content=content
    )


async def _settle(
    uow: UnitOfWork, desk: Desk, search: Search, identity: Identity, reading: AppReading, *, by: str
) -> None:
    found = reading.individual()
    said = compare(identity.traits, found)
    update: dict[str, object]
    if said.unusable is not None:
        update = {"state": SearchState.UNUSABLE, "code": said.unusable, "who_must_act": "secretary"}
    elif said.agrees and not says_otherwise(identity, found):
        await accept_insi_answer(uow, desk, search, identity, found, by=by)
        return
    else:
        differences = differences_to_decide(identity, found, said)
        update = {"state": SearchState.TO_DECIDE, "code": "00", "differences": differences, "who_must_act": "secretary"}
    await SearchRepository(uow).save(search.model_copy(update=update))
