"""A withdrawn report: mails that still wait do not leave any more."""

from __future__ import annotations

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import ReportWithdrawn

from navette_mss.adapters.mails import MAILS
from navette_mss.domain.record import MailState
from navette_mss.use_cases.schedule_mails import CHANNEL


async def cancel_mails(received: Received[ReportWithdrawn], uow: UnitOfWork) -> None:
    """Cancel what waits of the withdrawn version and of those before it."""
    event = received.event
    rows = await uow.collection(MAILS).find({"report_id": event.report_id}).to_list()
    for row in rows:
        if row["state"] == MailState.SCHEDULED and row["version"] <= event.version:
            await uow.cancel(CHANNEL, row["_id"], "withdrawn")
