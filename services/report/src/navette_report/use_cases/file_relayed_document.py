"""A document that a hospital relays from its mail goes to the file of the patient (spec/hl7v2.md §4.4)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_report.adapters.intake_messages import MessageState, Settled
from navette_report.domain.intake import cda
from navette_report.domain.intake.claims import Doing, Form, ReceivedReport, Unfit
from navette_report.domain.intake.senders import Source
from navette_report.domain.received.model import HIDDEN_FROM, News, Origin, id_text, read_document
from navette_report.use_cases.receive_document import Arrival, ReceptionDesk, receive_document
from navette_report.use_cases.settle_document import hear_news


async def file_relayed_document(
    uow: UnitOfWork, desk: ReceptionDesk, report: ReceivedReport, source: Source
) -> Settled:
    """File it, or hear that its author deleted it. Raises Unfit for what waits as a message."""
    if report.body.form is not Form.CDA:
        raise Unfit("document_unreadable")
    # Refuses a document about somebody else than the message (spec/hl7v2.md §10.4).
    cda.opened(report, zone=desk.zone)
    if report.choices.get("hidden_from_professionals"):
        raise Unfit("masked_from_professionals")
    original = report.body.original
    if report.doing is Doing.CANCEL:
        unique_id = id_text(read_document(original).id)
        said = {"site_id": source.site_id, "unique_id": unique_id, "by": source.actor}
        if not await hear_news(uow, desk, news=News.DELETED, **said):
            raise Unfit("original_unknown")
        return Settled(MessageState.FILED)
    hidden_from = tuple(name for name in HIDDEN_FROM if report.choices.get(name))
    arrival = Arrival(source.site_id, Origin.MSS, source.actor, original, hidden_from=hidden_from)
    taken = await receive_document(uow, desk, arrival)
    return Settled(MessageState.DUPLICATE if taken.known else MessageState.FILED)
