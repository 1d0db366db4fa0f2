"""A composed report meant for the DMP becomes one delivery per document version."""

from __future__ import annotations

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import DmpRejected, ErrorClass, ReportComposed, WhoMustAct

from navette_dmp.domain.publication import Publication, concerns_dmp
from navette_dmp.domain.status import PublicationStatus

CHANNEL = "dmp.publish"
PUBLICATIONS = "publications"


async def schedule_publication(received: Received[ReportComposed], uow: UnitOfWork) -> None:
    """Schedule the publication, unless the edition is not for the DMP or its identity is not qualified."""
    event = received.event
    if not concerns_dmp(event):
        return
    publication = Publication.of(event)
    if not event.ins_qualified:
        # The report service never asks for it; whoever does must not get a matricule sent under their name.
        await _remember(uow, publication, PublicationStatus.REJECTED)
        rejected = DmpRejected(
            report_id=event.report_id,
            version=event.version,
            unique_id=publication.unique_id,
            error_class=ErrorClass.PERMANENT,
            code="ins-not-qualified",
            who_must_act=WhoMustAct.SECRETARY,
            rejected_at=uow.now,
        )
        await uow.emit(rejected, subject=event.report_id)
        return
    is_new = await uow.schedule(
        CHANNEL, key=publication.unique_id, group=publication.report_id, payload=publication.to_payload()
    )
    if is_new:
        await _remember(uow, publication, PublicationStatus.SCHEDULED)


async def _remember(uow: UnitOfWork, publication: Publication, status: PublicationStatus) -> None:
    await uow.collection(PUBLICATIONS).update_one(
        {"_id": publication.unique_id},
        {
            "$set": {
                "report_id": publication.report_id,
                "version": publication.version,
                "site_id": publication.site_id,
                "publication": publication.to_payload(),
                "status": status.value,
                "at": uow.now,
            }
        },
        upsert=True,
    )
