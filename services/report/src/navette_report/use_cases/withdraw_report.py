"""Annul a report: deleted in the DMP, told to everyone who received it (RIS.DMP.02, RIS.MSS.16)."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_contracts.events import ReportWithdrawn
from navette_contracts.sealed import Keyring, Sealed

from navette_report.adapters.reports import ReportRepository
from navette_report.domain.acts import withdraw
from navette_report.domain.report import Report
from navette_report.use_cases.send_to_platforms import Outputs
from navette_report.use_cases.tell_lines import announce_withdrawal, stop_waiting_lines
from navette_report.use_cases.withdraw_from_platforms import withdraw_from_platforms


async def withdraw_report(
    uow: UnitOfWork, *, report: Report, by_rpps: str, actor: str, reason: str | None, keyring: Keyring, outputs: Outputs
) -> Report:
    """Withdraw the version in force and promise `report.withdrawn`. Raises Forbidden with the rule."""
    sealed = None if reason is None else Sealed[str].seal(reason, keyring)
    withdrawn = withdraw(report, by_rpps=by_rpps, at=uow.now, reason=None if sealed is None else sealed.token)
    version, sequence = withdrawn.current.number, report.sequence + 1
    saved = await ReportRepository(uow).save(withdrawn.with_current(withdrawn.current, sequence=sequence))
    await announce_withdrawal(uow, saved, version)
    await stop_waiting_lines(uow, saved.report_id, version, "withdrawn")
    await withdraw_from_platforms(uow, outputs, saved, version)
    event = ReportWithdrawn(
        report_id=saved.report_id,
        version=version,
        unique_id=saved.editions[-1].reference.unique_id if saved.editions else None,
        withdrawn_by_rpps=by_rpps,
        withdrawn_at=uow.now,
        reason=sealed,
    )
    await uow.emit(event, subject=saved.report_id, sequence=saved.sequence)
    await uow.record_access(actor, "report.withdraw", "report", saved.report_id, saved.site_id, "granted")
    return saved
