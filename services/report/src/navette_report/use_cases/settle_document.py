"""What a person decides about a received document, and what its source says of it afterwards (CDA/DD.05)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_report.adapters.received_documents import ReceivedDocuments
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.received.filing import why_not
from navette_report.domain.received.model import Decision, News, Received, Standing, Summary
from navette_report.use_cases.receive_document import (
    ReceptionDesk,
    another_patients,
    filed_with,
    identity_for,
    told,
)

_AFTER = {News.NEWER: Standing.FORMER, News.DELETED: Standing.ANNULLED}


async def file_document(
    uow: UnitOfWork, desk: ReceptionDesk, *, document_id: str, patient_id: str, by: str
) -> Received:
    """A person says whose a waiting document is. Raises Forbidden when the document says it is somebody else's."""
    store = desk.store(uow)
    document, summary = await _waiting(store, document_id)
    identity = await identity_for(uow, desk, patient_id=patient_id, site_id=document.site_id, by=by)
    reason = why_not(summary, identity, by_person=True)
    if reason is None and await another_patients(uow, desk, document, patient_id):
        reason = "replaces_another_patient"
    if reason is not None:
        raise Forbidden(reason)
    filed = _decided(uow, filed_with(document, patient_id), "file", by)
    return await told(uow, desk, await store.save(filed), by=by)


async def set_document_aside(uow: UnitOfWork, desk: ReceptionDesk, *, document_id: str, by: str) -> Received:
    """A person says that it is not filed here."""
    store = desk.store(uow)
    document, _ = await _waiting(store, document_id)
    aside = document.model_copy(update={"standing": Standing.SET_ASIDE, "awaits": ()})
    await uow.record_access(by, "received.set_aside", "received", document_id, document.site_id, "granted")
    return await store.save(_decided(uow, aside, "set_aside", by))


async def decide_news(uow: UnitOfWork, desk: ReceptionDesk, *, document_id: str, accepted: bool, by: str) -> Received:
    """A person takes note that a newer version counts, or that the author deleted it; or keeps it as it was.

    Either way the document stays, and stays readable.
    """
    store = desk.store(uow)
    found = await store.get(document_id)
    if found is None or found[0].news is None:
        raise Forbidden("no_news")
    document = found[0]
    standing = _AFTER[found[0].news] if accepted else document.standing
    await uow.record_access(by, "received.decide", "received", document_id, document.site_id, "granted")
    changed = document.model_copy(update={"standing": standing, "news": None})
    return await store.save(_decided(uow, changed, "accept" if accepted else "keep", by))


async def hear_news(uow: UnitOfWork, desk: ReceptionDesk, *, site_id: str, unique_id: str, news: News, by: str) -> bool:
    """The source deleted or replaced a document; False when nothing of that id is here. Who told it is on record."""
    store = desk.store(uow)
    found = await store.named(desk.domain_of(site_id), [unique_id])
    for one in found:
        await uow.record_access(by, "received.news", "received", one.document_id, one.site_id, "granted")
        if one.standing is Standing.FILED:
            await store.save(one.model_copy(update={"news": news}))
        elif one.standing is Standing.TO_FILE and news is News.DELETED:
            await store.save(one.model_copy(update={"reason": "deleted_at_source", "awaits": ()}))
    return bool(found)


async def _waiting(store: ReceivedDocuments, document_id: str) -> tuple[Received, Summary]:
    found = await store.get(document_id)
    if found is None or found[0].standing is not Standing.TO_FILE:
        raise Forbidden("not_to_file")
    return found


def _decided(uow: UnitOfWork, document: Received, what: str, by: str) -> Received:
    decision = Decision(what=what, by=by, at=uow.now)
    return document.model_copy(update={"decisions": (*document.decisions, decision)})
