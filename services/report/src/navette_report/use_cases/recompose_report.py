"""Make a held document again, once what held it was corrected."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_report.adapters.patients import PatientRepository
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk, compose_due


async def recompose_report(uow: UnitOfWork, desk: Desk, *, report: Report, by: str) -> Report:
    """Compose the validated version of `report` again, as far as an edition is due.

    The result is in what is returned: no findings left, or the findings of this attempt. Raises Forbidden when
    no document of the report is held.
    """
    version = report.validated
    if version is None or not version.findings:
        raise Forbidden("no_document_is_held")
    patient = await PatientRepository(uow, desk.keyring).join(report.patient_id)
    await compose_due(uow, desk, report, patient)
    await uow.record_access(by, "report.recompose", "report", report.report_id, report.site_id, "granted")
    return await ReportRepository(uow).get(report.report_id) or report
