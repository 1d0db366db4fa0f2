"""The document of a withdrawn report as people may still look at it: struck with the withdrawal."""

from __future__ import annotations

from dataclasses import replace

from navette_chassis import UnitOfWork

from navette_report.adapters.patients import PatientRepository
from navette_report.domain.document import document_model
from navette_report.domain.editions import EditionPlan
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk


async def show_withdrawn(uow: UnitOfWork, desk: Desk, *, report: Report) -> bytes | None:
    """The last edition with the withdrawal across it, None when site or patient are not known any more.

    The stored document stays what it was; it is not what a reader should see without a warning.
    """
    version, site = report.validated, desk.sites.get(report.site_id)
    known = await PatientRepository(uow, desk.keyring).find(report.patient_id)
    if version is None or version.withdrawal is None or not version.editions or site is None or not known.identity:
        return None
    last = version.editions[-1]
    plan = EditionPlan(
        number=last.reference.version_number, audience=last.audience, replaces_unique_id=last.replaces_unique_id
    )
    ipp_oid = desk.sites.get(known.identity.site_id, site).ipp_oid
    model = document_model(
        report, plan, known.identity, site, ipp_oid=ipp_oid, composed_at=last.composed_at, zone=desk.zone
    )
    return await desk.workshop().print(replace(model, withdrawn_at=version.withdrawal.at))
