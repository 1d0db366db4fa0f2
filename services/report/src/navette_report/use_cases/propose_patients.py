"""Whose may a waiting document be? Those whom one of its numbers leads to; a person decides."""

from __future__ import annotations

from dataclasses import dataclass

from navette_chassis import UnitOfWork
from navette_documents.sites import share_identities

from navette_report.domain.identity import PatientIdentity
from navette_report.domain.received.filing import why_not
from navette_report.domain.received.model import Received, Summary
from navette_report.use_cases.receive_document import ReceptionDesk


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """Somebody whose document it may be; `refused` says why it cannot be filed there as things are."""

    identity: PatientIdentity
    refused: str | None


async def propose_patients(
    uow: UnitOfWork, desk: ReceptionDesk, *, document: Received, summary: Summary, by: str
) -> list[Candidate]:
    """Patients of the document's identity domain behind its INS or its local numbers. Each look is recorded."""
    keys = desk.keys(uow)
    tokens = [keys.of_ins(summary.ins_oid, summary.matricule)] if summary.matricule else []
    for number in summary.local_ids:
        root, _, extension = number.partition("^")
        tokens += [keys.of_local_id(site.site_id, extension) for site in desk.sites.values() if site.ipp_oid == root]
    found: dict[str, PatientIdentity] = {}
    for token in tokens:
        for one in await keys.candidates(token):
            if share_identities(desk.sites, one.site_id, document.site_id):
                found[one.patient_id] = one
    for one in found.values():
        await uow.record_access(by, "identity.use", "patient", one.patient_id, one.site_id, "granted")
    return [Candidate(one, why_not(summary, one, by_person=True)) for one in found.values()]
