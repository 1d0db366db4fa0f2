"""A withdrawn report becomes one delivery that deletes it, behind whatever of the report is still on its way."""

from __future__ import annotations

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import ReportWithdrawn

from navette_dmp.domain.publication import Publication, Withdrawal
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.use_cases.schedule_publication import CHANNEL, PUBLICATIONS

WITHDRAWALS = "dmp.withdraw"
WITHDRAWN = "withdrawn"
"""Reports that were withdrawn, by id."""


async def schedule_withdrawal(received: Received[ReportWithdrawn], uow: UnitOfWork) -> None:
    """Cancel what waits and schedule the deletion of what the DMP has or may have.

    A publication in flight is not interrupted: the deletion comes after it, in the same group, and asks the DMP.
    """
    event = received.event
    marked = {"$set": {"version": event.version}}
    await uow.collection(WITHDRAWN).update_one({"_id": event.report_id}, marked, upsert=True)
    rows = await uow.collection(PUBLICATIONS).find({"report_id": event.report_id}).to_list()
    for row in rows:
        if row["status"] == PublicationStatus.SCHEDULED:
            await uow.cancel(CHANNEL, row["_id"], "withdrawn")
    documents = [
        Publication.from_payload(row["publication"])
        for row in sorted(rows, key=lambda row: row["at"], reverse=True)
        if row["status"] in (PublicationStatus.SCHEDULED, PublicationStatus.PUBLISHED) or row.get("doubtful")
    ]
    if not documents:
        return
    withdrawal = Withdrawal(report_id=event.report_id, version=event.version, documents=tuple(documents))
    await uow.schedule(
        WITHDRAWALS,
        key=f"{event.report_id}:{event.version}",
        group=event.report_id,
        payload=withdrawal.to_payload(),
    )
