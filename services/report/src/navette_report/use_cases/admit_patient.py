"""Whether a report may be written about a patient at a site: never about somebody unknown, nor of another group."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_documents.sites import share_identities

from navette_report.adapters.patients import PatientRepository
from navette_report.domain.identity import IdentityGap
from navette_report.use_cases.compose_report import Desk


class PatientRefused(Exception):  # noqa: N818 - read as "raise PatientRefused"
    """The patient cannot be used at that site; `gap` says why, `home` where the identity is, nothing says who."""

    def __init__(self, gap: IdentityGap, home: str | None = None) -> None:
        super().__init__(gap.value)
        self.gap = gap
        self.home = home


async def admit_patient(uow: UnitOfWork, desk: Desk, *, patient_id: str, site_id: str, actor: str) -> None:
    """Raise PatientRefused unless the identity is known, alive, and of the identity domain of `site_id`.

    The use of a patient identified at another site is recorded as an access to the identity.
    """
    known = await PatientRepository(uow, desk.keyring).find(patient_id)
    if known.identity is None:
        raise PatientRefused(known.gap or IdentityGap.UNKNOWN)
    home = known.identity.site_id
    if not share_identities(desk.sites, home, site_id):
        raise PatientRefused(IdentityGap.ELSEWHERE, home)
    if home != site_id:
        await uow.record_access(actor, "identity.use", "patient", patient_id, home, "granted")
