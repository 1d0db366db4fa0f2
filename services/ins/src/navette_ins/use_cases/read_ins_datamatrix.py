"""Read a datamatrix INS somebody scanned: what it says, and who may already be here (spec/ins.md §8.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from navette_chassis import UnitOfWork

from navette_ins.domain.datamatrix import InsCode, decode
from navette_ins.domain.prior_search import prior_search
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.search_patients import Found, search_patients


@dataclass(frozen=True, slots=True)
class Scanned:
    """The content of a code, which proves nothing before INSi has verified it, and the records with its matricule."""

    code: InsCode
    known: Found


async def read_ins_datamatrix(
    uow: UnitOfWork, desk: Desk, *, payload: str, production: bool, sites: Collection[str] | None, by: str
) -> Scanned:
    """Decode and look for the matricule. Raises RuleBroken for a payload that is not understood whole."""
    code = decode(payload, production=production)
    known = await search_patients(uow, desk, search=prior_search(matricule=code.matricule), sites=sites, by=by)
    await uow.record_access(by, "ins.scan", "search", known.search_id, None, "granted")
    return Scanned(code, known)
