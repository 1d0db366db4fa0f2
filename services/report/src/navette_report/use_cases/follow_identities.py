"""Keep the local projection of identities, and release what was waiting for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import Received, UnitOfWork
from navette_contracts.events import PatientIdentified, PatientMerged

from navette_report.adapters.patients import PatientRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.use_cases.compose_report import Desk, compose_due


def project_identity(desk: Desk) -> Callable[[Received[PatientIdentified], UnitOfWork], Awaitable[None]]:
    """The handler of `patient.identified`: nobody has to press a button for a report to leave."""

    async def project(received: Received[PatientIdentified], uow: UnitOfWork) -> None:
        patients = PatientRepository(uow, desk.keyring)
        if not await patients.project(received.event):
            return
        for watcher in desk.watchers:
            await watcher(uow, received.event.patient_id)
        known = await patients.join(received.event.patient_id)
        for report in await ReportRepository(uow).touched_by_identity(received.event.patient_id):
            await compose_due(uow, desk, report, known)

    return project


def record_merge(desk: Desk) -> Callable[[Received[PatientMerged], UnitOfWork], Awaitable[None]]:
    """The handler of `patient.merged`.

    A report never changes its patient silently: what waits for the absorbed record keeps waiting, and says so,
    until the merge is undone.
    """

    async def merge(received: Received[PatientMerged], uow: UnitOfWork) -> None:
        event = received.event
        patients = PatientRepository(uow, desk.keyring)
        await patients.mark_merged(event.absorbed_id, event.surviving_id, event.absorbed_revision)
        for watcher in desk.watchers:
            await watcher(uow, event.absorbed_id)
        known = await patients.join(event.absorbed_id)
        for report in await ReportRepository(uow).touched_by_identity(event.absorbed_id):
            await compose_due(uow, desk, report, known)

    return merge
