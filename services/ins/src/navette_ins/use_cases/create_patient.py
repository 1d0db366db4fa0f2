"""Record a person with the traits of the document, provisional until two facts say more (RIS.INS.11, .22)."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits, check_traits
from navette_ins.use_cases.desk import Desk


class TraitsRefused(Exception):  # noqa: N818 - the traits are refused
    """The traits break rules; all of them, so that the person at the desk corrects once."""

    def __init__(self, broken: list[RuleBroken]) -> None:
        super().__init__("traits_refused")
        self.broken = broken


async def create_patient(uow: UnitOfWork, desk: Desk, *, site_id: str, traits: Traits, by: str) -> Identity:
    """Create the record. Raises TraitsRefused."""
    broken = check_traits(traits, today=uow.now.date())
    if broken:
        raise TraitsRefused(broken)
    identity = Identity(
        patient_id=uuid7(), site_id=site_id, revision=1, traits=traits, created_at=uow.now, updated_at=uow.now
    )
    await desk.identities(uow).add(identity, by=by)
    await uow.record_access(by, "identity.create", "patient", identity.patient_id, site_id, "granted")
    return identity
