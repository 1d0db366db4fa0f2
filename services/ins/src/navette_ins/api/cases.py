"""Cases of the cellule d'identitovigilance, merges and their undoing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError
from pydantic import Field

from navette_ins.adapters.cases import CaseRepository, pending_cases
from navette_ins.adapters.merges import Merge, MergeRepository
from navette_ins.api.act_schemas import Because, Reason
from navette_ins.api.acts import transact, visible
from navette_ins.api.rights import Caller, Editor, Reader, Supervisor
from navette_ins.domain.cases import Case, CaseDecision, CaseKind
from navette_ins.use_cases.decide_case import decide_case
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.merge_patients import merge_patients, unmerge_patients
from navette_ins.use_cases.open_case import open_case

_Id = Annotated[str, Field(min_length=1, max_length=128, examples=["0199c0de-0000-7000-8000-000000000001"])]


class NewCase(ApiModel):
    """Something somebody noticed: two records of one person, two people in one record, two who look alike."""

    kind: Annotated[CaseKind, Field(examples=["collision"])]
    patient_ids: Annotated[list[_Id], Field(min_length=1, max_length=2)]


class CaseWord(ApiModel):
    """A person's decision on a case."""

    decision: Annotated[CaseDecision, Field(examples=["confirm"])]
    reason: Reason | None = None


class CaseAnswer(ApiModel):
    """A case; no trait."""

    case_id: str
    kind: CaseKind
    state: str
    pam_code: str | None
    patient_ids: list[str]
    site_ids: list[str]
    reason: str
    score: float | None
    opened_by: str
    opened_at: datetime
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, case: Case) -> CaseAnswer:
        """The answer for a case."""
        return cls.model_validate(case.model_dump(mode="json") | {"pam_code": case.pam_code})


class CasesAnswer(ApiModel):
    """Pending cases of the caller's sites, oldest first."""

    cases: list[CaseAnswer]


class NewMerge(ApiModel):
    """Two records that are one person, and which one stays with its IPP."""

    surviving_id: _Id
    absorbed_id: _Id
    reason: Reason | None = None


class MergeAnswer(ApiModel):
    """A merge, kept so that it can be undone."""

    merge_id: str
    surviving_id: str
    absorbed_id: str
    merged_revision: int
    merged_by: str
    merged_at: datetime
    undone_by: str | None
    undone_at: datetime | None

    @classmethod
    def of(cls, merge: Merge) -> MergeAnswer:
        """The answer for a merge."""
        return cls.model_validate(merge.model_dump(include=set(cls.model_fields)))


def case_routes(service: Service, desk: Desk) -> APIRouter:
    """Open, list, read, decide."""
    router = APIRouter(prefix="/cases", tags=["cases"])

    @router.get("")
    async def list_cases(caller: Reader) -> CasesAnswer:
        """What waits for a decision at the sites of the caller."""
        cases = await pending_cases(service.database, caller.sites, CaseKind)
        return CasesAnswer(cases=[CaseAnswer.of(one) for one in cases])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def report_case(caller: Editor, body: NewCase) -> CaseAnswer:
        """Tell the cellule d'identitovigilance; an open case about the same records is returned as it is."""

        async def work(uow: UnitOfWork) -> Case:
            identities = desk.identities(uow)
            named = [visible(await identities.get(one), caller) for one in dict.fromkeys(body.patient_ids)]
            pair = body.kind in (CaseKind.DUPLICATE, CaseKind.HOMONYM)
            if len(named) != (2 if pair else 1):
                raise ProblemError.conflict("records", "Ce cas porte sur deux dossiers différents, ou sur un seul.")
            case = await open_case(uow, body.kind, named, reason="reported", by=caller.subject)
            assert case is not None  # only what a machine finds may have been dismissed
            for one in named:
                await uow.record_access(
                    caller.subject, "case.report", "patient", one.patient_id, one.site_id, "granted"
                )
            return case

        return CaseAnswer.of(await transact(service, work))

    @router.get("/{case_id}")
    async def read_case(caller: Reader, case_id: str) -> CaseAnswer:
        """One case."""

        async def work(uow: UnitOfWork) -> Case:
            return _at_site(await CaseRepository(uow).get(case_id), caller)

        return CaseAnswer.of(await transact(service, work))

    @router.post("/{case_id}/decision")
    async def decide_on_case(caller: Supervisor, case_id: str, body: CaseWord) -> CaseAnswer:
        """Confirm or dismiss. A collision confirmed makes the record doubtful, a homonym marks both."""

        async def work(uow: UnitOfWork) -> Case:
            case = _at_site(await CaseRepository(uow).get(case_id), caller)
            for site_id in case.site_ids:
                caller.require_site(site_id)
            return await decide_case(
                uow, desk, case=case, decision=body.decision, by=caller.subject, reason=body.reason
            )

        return CaseAnswer.of(await transact(service, work))

    return router


def merge_routes(service: Service, desk: Desk) -> APIRouter:
    """Merge, read, undo."""
    router = APIRouter(prefix="/merges", tags=["merges"])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def merge_records(caller: Supervisor, body: NewMerge) -> MergeAnswer:
        """One person, one record. Both contents are kept, so that the merge can be undone."""

        async def work(uow: UnitOfWork) -> Merge:
            identities = desk.identities(uow)
            survivor = visible(await identities.get(body.surviving_id), caller)
            absorbed = visible(await identities.get(body.absorbed_id), caller)
            return await merge_patients(
                uow, desk, survivor=survivor, absorbed=absorbed, by=caller.subject, reason=body.reason
            )

        return MergeAnswer.of(await transact(service, work))

    @router.get("/{merge_id}")
    async def read_merge(caller: Reader, merge_id: str) -> MergeAnswer:
        """One merge."""

        async def work(uow: UnitOfWork) -> Merge:
            return await _merge_at_site(uow, desk, merge_id, caller)

        return MergeAnswer.of(await transact(service, work))

    @router.post("/{merge_id}/undo")
    async def undo_merge(caller: Supervisor, merge_id: str, body: Because) -> MergeAnswer:
        """Two people after all: both records come back."""

        async def work(uow: UnitOfWork) -> Merge:
            merge = await _merge_at_site(uow, desk, merge_id, caller)
            return await unmerge_patients(uow, desk, merge_id=merge.merge_id, by=caller.subject, reason=body.reason)

        return MergeAnswer.of(await transact(service, work))

    return router


def _at_site(case: Case | None, caller: Caller) -> Case:
    if case is None:
        raise ProblemError.not_found()
    if not any(caller.may_act_for(one) for one in case.site_ids):
        caller.require_sight(case.site_ids[0])
    return case


async def _merge_at_site(uow: UnitOfWork, desk: Desk, merge_id: str, caller: Caller) -> Merge:
    known = await MergeRepository(uow, desk.keyring).get(merge_id)
    if known is None:
        raise ProblemError.not_found()
    for site_id in known[0].site_ids:
        caller.require_sight(site_id)
    return known[0]
