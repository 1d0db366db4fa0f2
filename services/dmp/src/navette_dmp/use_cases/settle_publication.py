"""The end of a publication becomes a fact, in the transaction that ends its delivery."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import DmpPublished, DmpRejected, DmpVisibilityChanged, Event, WhoMustAct

from navette_dmp.domain.publication import Publication
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.use_cases.schedule_publication import PUBLICATIONS


async def settle_publication(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
    """Remember the end and emit DmpPublished or DmpRejected with who must act."""
    publication = Publication.from_payload(delivery.payload)
    published = outcome.kind is OutcomeKind.DELIVERED
    # Given up without knowing, or cancelled after an attempt whose answer was lost: the DMP may have it.
    doubtful = not published and (outcome.kind is OutcomeKind.AMBIGUOUS or delivery.must_query)
    status = PublicationStatus.PUBLISHED if published else PublicationStatus.REJECTED
    await uow.collection(PUBLICATIONS).update_one(
        {"_id": publication.unique_id},
        {
            "$set": {
                "status": status.value,
                "at": uow.now,
                "code": outcome.code,
                "doubtful": doubtful,
                **outcome.remote_ids,
            }
        },
    )
    event = _published(publication, outcome, uow) if published else _rejected(publication, outcome, uow)
    await uow.emit(event, subject=publication.report_id)
    if published and await _shows_what_was_hidden(publication, uow):
        changed = DmpVisibilityChanged(
            report_id=publication.report_id, version=publication.version, unique_id=publication.unique_id, at=uow.now
        )
        await uow.emit(changed, subject=publication.report_id)


async def _shows_what_was_hidden(publication: Publication, uow: UnitOfWork) -> bool:
    """Whether this document took the place of one of the same version that the patient could not see."""
    if publication.replaces_unique_id is None or publication.hidden_from_patient:
        return False
    query = {"_id": publication.replaces_unique_id, "version": publication.version}
    former = await uow.collection(PUBLICATIONS).find_one(query)
    return former is not None and bool(former.get("publication", {}).get("hidden_from_patient"))


def _published(publication: Publication, outcome: Outcome, uow: UnitOfWork) -> Event:
    return DmpPublished(
        report_id=publication.report_id,
        version=publication.version,
        unique_id=publication.unique_id,
        entry_uuid=outcome.remote_ids.get("entry_uuid"),
        submission_unique_id=outcome.remote_ids["submission_unique_id"],
        published_at=uow.now,
    )


def _rejected(publication: Publication, outcome: Outcome, uow: UnitOfWork) -> Event:
    nobody = outcome.who_must_act is WhoMustAct.NOBODY
    given_up = outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS)
    return DmpRejected(
        report_id=publication.report_id,
        version=publication.version,
        unique_id=publication.unique_id,
        error_class=outcome.error_class,
        code=outcome.code,
        # Given up after days of trying: somebody has to look, and no rule of the table said who.
        who_must_act=WhoMustAct.OPERATOR if nobody and given_up else outcome.who_must_act,
        rejected_at=uow.now,
    )
