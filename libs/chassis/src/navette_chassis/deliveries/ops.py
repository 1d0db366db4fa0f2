"""Operations on deliveries: see them, let one or a filtered set go again, read the notices."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from navette_chassis.auth.guard import require
from navette_chassis.auth.principal import Principal, Role
from navette_chassis.deliveries.model import DeliveryState
from navette_chassis.deliveries.rows import DONE, NOTICES, Row
from navette_chassis.problem import FieldProblem, ProblemError
from navette_chassis.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from navette_chassis.service import Service

#: Most rows one replay call moves; the answer says how many remain.
REPLAY_LIMIT = 1000

Operator = Annotated[Principal, require(Role.OPERATOR)]

_REFUSALS = {
    "delivered": "Cet envoi est arrivé ; le rejouer l'enverrait deux fois.",
    "in_progress": "Cet envoi est en cours.",
    "behind_another": "Un envoi antérieur du même compte rendu doit d'abord aboutir.",
}
_REPLAYABLE = frozenset({DeliveryState.FAILED, DeliveryState.REJECTED, DeliveryState.CANCELLED})


class ReplayFilter(BaseModel):
    """Which ended deliveries to replay. ``dry_run`` (the default) only counts."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    state: DeliveryState = DeliveryState.FAILED
    channel: str | None = Field(default=None, max_length=64)
    code: str | None = Field(default=None, max_length=128)
    finished_from: datetime | None = None
    finished_to: datetime | None = None
    dry_run: bool = True
    limit: int = Field(default=REPLAY_LIMIT, ge=1, le=REPLAY_LIMIT)

    def query(self) -> dict[str, Any]:
        """The database query; ``ProblemError`` when the state cannot be replayed."""
        if self.state not in _REPLAYABLE:
            raise ProblemError.invalid(FieldProblem("state", "valeurs admises : failed, rejected, cancelled"))
        query: dict[str, Any] = {"state": self.state.value, "obsolete": {"$exists": False}}
        if self.channel is not None:
            query["channel"] = self.channel
        if self.code is not None:
            query["code"] = self.code
        between = {"$gte": self.finished_from, "$lte": self.finished_to}
        bounds = {operator: moment for operator, moment in between.items() if moment is not None}
        if any(moment.tzinfo is None for moment in bounds.values()):
            raise ProblemError.invalid(FieldProblem("finished_from", "date et heure avec fuseau horaire attendues"))
        if bounds:
            query["finished_at"] = bounds
        return query


def ops_router(service: Service) -> APIRouter:
    """Routes of the operator role; every replay leaves a line in the audit stream."""
    router = APIRouter(prefix="/ops")

    @router.get("/deliveries", dependencies=[require(Role.OPERATOR)])
    async def list_deliveries(
        state: DeliveryState | None = None,
        channel: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """Open deliveries first, then ended ones, newest first; never their payload."""
        query: dict[str, Any] = {} if channel is None else {"channel": channel}
        if state is not None:
            query["state"] = state.value
        found: list[Row] = []
        for ended in (False, True):
            if (state is None or state.terminal is ended) and len(found) < limit:
                found += await service.delivery_store.find(query, ended=ended, limit=limit - len(found))
        return {"deliveries": [_shown(row) for row in found]}

    @router.post("/deliveries/{delivery_id}/replay", status_code=202)
    async def replay_one(delivery_id: str, caller: Operator) -> dict[str, str]:
        """Let one delivery go again, now."""
        result = await service.transact(_replay, service, delivery_id, caller.subject)
        if result != "replayed":
            raise _refused(result)
        return {"id": delivery_id, "result": result}

    @router.post("/deliveries/replay", status_code=202)
    async def replay_filtered(which: ReplayFilter, caller: Operator) -> dict[str, Any]:
        """Count a set of ended deliveries and, unless ``dry_run``, let them go again."""
        query = which.query()
        matched = await service.delivery_store.count(query, ended=True)
        replayed = 0
        if not which.dry_run:
            for row in await service.delivery_store.find(query, ended=True, limit=which.limit):
                result = await service.transact(_replay, service, row["_id"], caller.subject)
                replayed += result == "replayed"
        return {"matched": matched, "replayed": replayed, "remaining": matched - replayed, "dry_run": which.dry_run}

    @router.get("/notices", dependencies=[require(Role.OPERATOR)])
    async def list_notices(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
        """Outages and deliveries given up, newest first."""
        found = await service.database[NOTICES].find({}).sort("at", -1).limit(limit).to_list()
        return {"notices": [{"id": row.pop("_id"), **row} for row in found]}

    return router


def _refused(result: str) -> ProblemError:
    if result == "not_found":
        return ProblemError.not_found()
    if result in _REFUSALS:
        return ProblemError.conflict(f"delivery-{result.replace('_', '-')}", _REFUSALS[result])
    return ProblemError.conflict("delivery-obsolete", result)


async def _replay(uow: UnitOfWork, service: Service, delivery_id: str, actor: str) -> str:
    """ "replayed", a code of `_REFUSALS`, "not_found", or the sentence why it must never go again."""
    row = await uow.collection(DONE).find_one({"_id": delivery_id})
    sentence = None if row is None else await _obsolete(uow, service, row)
    if sentence is not None:
        # Remembered, so that a filtered set does not come back to it.
        await uow.collection(DONE).update_one({"_id": delivery_id}, {"$set": {"obsolete": True}})
        return sentence
    result = await service.delivery_store.replay(uow, delivery_id)
    if result == "replayed":
        await uow.record_access(actor, "delivery.replay", "delivery", delivery_id, None, "granted")
    return result


async def _obsolete(uow: UnitOfWork, service: Service, row: Row) -> str | None:
    if row["state"] == DeliveryState.DELIVERED:
        return None
    for handler in service.delivery_handlers:
        if handler.channel.name == row["channel"] and handler.obsolete is not None:
            return await handler.obsolete(row["payload"], uow)
    return None


def _shown(row: Row) -> dict[str, Any]:
    shown = {"id": row["_id"]}
    for name in ("channel", "key", "group", "state", "attempt", "must_query", "created_at", "not_before", "due"):
        shown[name] = row.get(name)
    for name in ("finished_at", "code", "who_must_act", "remote_ids", "correlation_id", "attempts"):
        shown[name] = row.get(name)
    return shown
