"""The datamatrix INS of a qualified identity; who was shown it is on record (RIS.INS.03, RIS.INS.54)."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.domain.datamatrix import code_of, encode
from navette_ins.domain.identity import Identity
from navette_ins.use_cases.desk import Desk


async def show_ins_datamatrix(uow: UnitOfWork, _desk: Desk, *, identity: Identity, by: str) -> str:
    """The payload. Raises Forbidden when the identity is not qualified, RuleBroken for a trait the code cannot hold."""
    payload = encode(code_of(identity))
    await uow.record_access(by, "ins.datamatrix", "patient", identity.patient_id, identity.site_id, "granted")
    return payload
