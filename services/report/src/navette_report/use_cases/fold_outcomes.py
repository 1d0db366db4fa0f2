"""Fold what the DMP and the mail operators answered into the journey."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import (
    DmpOperation,
    DmpPublished,
    DmpRejected,
    DmpVisibilityChanged,
    DmpWithdrawn,
    MailKind,
    MssDelivered,
    MssFailed,
    MssRead,
    MssSent,
    RecipientRole,
)

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.patients import PatientRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.journey import (
    DMP_RECIPIENT,
    FAILURE_OF,
    PATIENT_RECIPIENT,
    Channel,
    Fact,
    LineKind,
    LineState,
    Place,
    line_key,
)
from navette_report.use_cases.compose_report import Desk, compose_due, misled

_DmpOutcome = DmpPublished | DmpRejected | DmpWithdrawn | DmpVisibilityChanged
_MailOutcome = MssSent | MssDelivered | MssRead | MssFailed


async def fold_dmp_published(received: Received[DmpPublished], uow: UnitOfWork) -> None:
    """The DMP has the document."""
    fact = Fact(state=LineState.DELIVERED, at=received.event.published_at)
    await _fold_dmp(received.event, fact, uow)


def fold_dmp_rejected(desk: Desk) -> Callable[[Received[DmpRejected], UnitOfWork], Awaitable[None]]:
    """The handler of `dmp.rejected`."""

    async def fold(received: Received[DmpRejected], uow: UnitOfWork) -> None:
        event = received.event
        await _fold_refusal(event, uow)
        report = await ReportRepository(uow).get(event.report_id)
        # Refused because it names a document the DMP refused before: an edition that names nothing is due.
        if report is not None and event.operation is not DmpOperation.WITHDRAW and await misled(uow, report):
            await compose_due(uow, desk, report, await PatientRepository(uow, desk.keyring).join(report.patient_id))

    return fold


async def _fold_refusal(event: DmpRejected, uow: UnitOfWork) -> None:
    """The DMP will not have it unless somebody acts."""
    fact = Fact(
        state=FAILURE_OF[event.error_class],
        at=event.rejected_at,
        reason=event.code,
        who_must_act=event.who_must_act,
    )
    withdrawal = event.operation is DmpOperation.WITHDRAW
    await _fold_dmp(event, fact, uow, kind=LineKind.WITHDRAWAL if withdrawal else None)


async def fold_dmp_withdrawn(received: Received[DmpWithdrawn], uow: UnitOfWork) -> None:
    """The document is deleted there."""
    fact = Fact(state=LineState.DELIVERED, at=received.event.at)
    await _fold_dmp(received.event, fact, uow, kind=LineKind.WITHDRAWAL)


async def fold_dmp_visibility(received: Received[DmpVisibilityChanged], uow: UnitOfWork) -> None:
    """The patient may see there what was hidden until the announcement."""
    fact = Fact(state=LineState.DELIVERED, at=received.event.at)
    await _fold_dmp(received.event, fact, uow, kind=LineKind.RELEASE)


async def fold_mss_sent(received: Received[MssSent], uow: UnitOfWork) -> None:
    """The operator accepted the mail."""
    await _fold_mail(received.event, Fact(state=LineState.SENT, at=received.event.sent_at), uow)


async def fold_mss_delivered(received: Received[MssDelivered], uow: UnitOfWork) -> None:
    """The mail is in the mailbox."""
    await _fold_mail(received.event, Fact(state=LineState.DELIVERED, at=received.event.at), uow)


async def fold_mss_read(received: Received[MssRead], uow: UnitOfWork) -> None:
    """The mail was read."""
    await _fold_mail(received.event, Fact(state=LineState.READ, at=received.event.at), uow)


async def fold_mss_failed(received: Received[MssFailed], uow: UnitOfWork) -> None:
    """The recipient will not receive it unless somebody acts."""
    event = received.event
    fact = Fact(
        state=FAILURE_OF[event.error_class],
        at=event.failed_at,
        reason=event.code,
        who_must_act=event.who_must_act,
    )
    await _fold_mail(event, fact, uow)


async def _fold_dmp(event: _DmpOutcome, fact: Fact, uow: UnitOfWork, *, kind: LineKind | None = None) -> None:
    journeys = JourneyRepository(uow)
    if kind is None:
        # A version goes to the DMP a second time only to show what the first document hid.
        key = line_key(event.report_id, event.version, Channel.DMP, DMP_RECIPIENT, LineKind.RELEASE)
        second = await journeys.get(key)
        kind = LineKind.RELEASE if second is not None and second.unique_id == event.unique_id else LineKind.REPORT
    place = Place(event.report_id, event.version, Channel.DMP, DMP_RECIPIENT, kind=kind)
    await journeys.fold(place, fact)


async def _fold_mail(event: _MailOutcome, fact: Fact, uow: UnitOfWork) -> None:
    # There is one patient per report, whatever id the mail service gave that recipient.
    patient = event.role is RecipientRole.PATIENT
    recipient_id = PATIENT_RECIPIENT if patient else event.recipient_id
    kind = LineKind.WITHDRAWAL if event.kind is MailKind.WITHDRAWAL else LineKind.REPORT
    place = Place(event.report_id, event.version, Channel.MSS, recipient_id, event.role, kind)
    await JourneyRepository(uow).fold(place, fact)
