"""What validation depends on beside the report itself: who the patient is, and what the site asks."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_report.adapters.patients import PatientRepository
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.identity import is_minor
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk


async def check_validation(uow: UnitOfWork, desk: Desk, *, report: Report, choices: SignatureChoices) -> None:
    """Raise Forbidden for a missing dose where the site refuses one, and for what `check_secrecy` refuses."""
    site = desk.sites.get(report.site_id)
    if site is not None and site.dose_at_signature == "refuse" and report.current.content.dose_missing:
        raise Forbidden("dose_missing")
    await check_secrecy(uow, desk, report=report, choices=choices)


async def check_secrecy(uow: UnitOfWork, desk: Desk, *, report: Report, choices: SignatureChoices) -> None:
    """Raise Forbidden for a connexion secrète of somebody who is not known to be a minor (spec/dmp.md §6.5)."""
    if not choices.secret_connection:
        return
    known = await PatientRepository(uow, desk.keyring).find(report.patient_id)
    today = uow.now.astimezone(desk.zone).date()
    if known.identity is None or not is_minor(known.identity.traits.birth_date, today):
        raise Forbidden("secret_connection_of_an_adult")
