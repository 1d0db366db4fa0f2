"""Who is due for verification, the checks and batches made of it, and every answer as received (RIS.INS.42)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.adapters.history import Changed
from navette_ins.adapters.sealed_bytes import seal_bytes
from navette_ins.adapters.verifier import Received
from navette_ins.domain.verification import Batch, BatchState, Check, Line, Subject, Verdict


class _Kept(BaseModel):
    """A subject as it is sealed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    number: str
    key: str
    oid: str
    birth_name: str
    given_names: str
    sex: str
    birth_date: str
    birth_place_code: str

    def __repr__(self) -> str:
        return "_Kept(…)"

    __str__ = __repr__


DUE = "verification_due"
CHECKS = "verification_checks"
BATCHES = "verification_batches"
LINES = "verification_lines"
ANSWERS = "verification_answers"


async def follow_verification(uow: UnitOfWork, changes: Sequence[Changed]) -> None:
    """Watcher of identities: an INS that is held has a date of last positive answer; without an INS there is none.

    The date is kept, not the day it is due: another period counts for all from the next round on.
    """
    for changed in changes:
        await _follow(uow, changed)


async def _follow(uow: UnitOfWork, changed: Changed) -> None:
    due, after = uow.collection(DUE), changed.after
    held = changed.before.recovery if changed.before is not None else None
    if after.recovery is None:
        if held is not None:
            await due.delete_one({"_id": after.patient_id})
        return
    fixed = {"site_id": after.site_id}
    if held is not None and held.ins == after.recovery.ins and held.at == after.recovery.at:
        fresh = {"positive_at": held.at, "not_before": held.at, "batch_id": None}
        await due.update_one({"_id": after.patient_id}, {"$set": fixed, "$setOnInsert": fresh}, upsert=True)
        return
    positive_at = after.recovery.at
    await due.update_one(
        {"_id": after.patient_id},
        {"$set": fixed | {"positive_at": positive_at, "not_before": positive_at, "batch_id": None}},
        upsert=True,
    )


def due_query(cutoff: datetime, now: datetime) -> dict[str, Any]:
    """Identities whose last positive answer is older than the cutoff, and that no batch holds."""
    return {"batch_id": None, "positive_at": {"$lte": cutoff}, "not_before": {"$lte": now}}


class VerificationRepository:
    """Checks, batches and due dates inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring]) -> None:
        self._uow = uow
        self._keyring = keyring

    # Due dates

    async def due(self, cutoff: datetime, limit: int) -> list[str]:
        """Patient ids due, those verified longest ago first."""
        rows = self._uow.collection(DUE).find(due_query(cutoff, self._uow.now), {"_id": 1}).sort("positive_at", 1)
        return [str(row["_id"]) async for row in rows.limit(limit)]

    async def positive(self, patient_id: str, at: datetime) -> None:
        """INSi confirmed the INS at that moment."""
        changes = {"positive_at": at, "not_before": at, "batch_id": None}
        await self._uow.collection(DUE).update_one({"_id": patient_id}, {"$set": changes})

    async def again(self, patient_id: str, not_before: datetime) -> None:
        """No confirmation: it stays due, not before that moment."""
        changes = {"not_before": not_before, "batch_id": None}
        await self._uow.collection(DUE).update_one({"_id": patient_id}, {"$set": changes})

    # Unit checks

    async def save_check(self, check: Check) -> None:
        """Store a check."""
        row = {"_id": check.check_id, "patient_id": check.patient_id, "state": check.state.value}
        await self._uow.collection(CHECKS).replace_one(
            {"_id": check.check_id}, row | {"check": check.model_dump()}, upsert=True
        )

    async def check_under_way(self, patient_id: str) -> bool:
        """Whether a check of this person is under way."""
        query = {"patient_id": patient_id, "state": "requested"}
        return await self._uow.collection(CHECKS).find_one(query, {"_id": 1}) is not None

    async def check(self, check_id: str) -> Check | None:
        """The check of that id."""
        row = await self._uow.collection(CHECKS).find_one({"_id": check_id})
        return None if row is None else Check.model_validate(row["check"])

    # Batches

    async def add_batch(self, batch: Batch, lines: Sequence[tuple[Line, str, str, int]]) -> None:
        """Store a new batch; each line with patient id, site id and the revision that was sent."""
        rows = [
            {
                "_id": line.line_id,
                "batch_id": batch.batch_id,
                "position": position,
                "patient_id": patient_id,
                "site_id": site_id,
                "revision": revision,
                "sealed": Sealed.seal(_Kept(**asdict(line.subject)), self._keyring()).token,
                "verdict": None,
                "applied": None,
            }
            for position, (line, patient_id, site_id, revision) in enumerate(lines)
        ]
        await self._uow.collection(LINES).insert_many(rows)
        patients = [patient_id for _, patient_id, _, _ in lines]
        await self._uow.collection(DUE).update_many({"_id": {"$in": patients}}, {"$set": {"batch_id": batch.batch_id}})
        await self.save_batch(batch)

    async def save_batch(self, batch: Batch) -> None:
        """Store a batch."""
        row = {"_id": batch.batch_id, "state": batch.state.value, "ended": batch.state.ended}
        await self._uow.collection(BATCHES).replace_one(
            {"_id": batch.batch_id}, row | {"batch": batch.model_dump()}, upsert=True
        )

    async def batch(self, batch_id: str) -> Batch | None:
        """The batch of that id."""
        row = await self._uow.collection(BATCHES).find_one({"_id": batch_id})
        return None if row is None else batch_of(row)

    async def release_lines(self, batch_id: str, not_before: datetime) -> None:
        """Lines of a batch that came to nothing are due again."""
        await self._uow.collection(DUE).update_many(
            {"batch_id": batch_id}, {"$set": {"batch_id": None, "not_before": not_before}}
        )

    async def say_verdicts(self, verdicts: Mapping[str, Verdict], batch_id: str) -> None:
        """Note what INSi said of each line; a line it does not know is left out."""
        lines = self._uow.collection(LINES)
        for verdict in Verdict:
            said = [line_id for line_id, one in verdicts.items() if one is verdict]
            await lines.update_many({"_id": {"$in": said}, "batch_id": batch_id}, {"$set": {"verdict": verdict.value}})

    async def line_to_apply(self, line_id: str) -> Document | None:
        """A line nothing was done about yet."""
        return await self._uow.collection(LINES).find_one({"_id": line_id, "applied": None})

    async def line_applied(self, line_id: str, came_to: str) -> None:
        """What a line came to."""
        await self._uow.collection(LINES).update_one({"_id": line_id}, {"$set": {"applied": came_to}})

    # The trace

    async def record(
        self,
        *,
        operation: str,
        about: str,
        received: Received,
        code: str,
        by: str,
        sent: Subject | None = None,
    ) -> None:
        """Keep an answer as received and what was sent, sealed; `about` is a patient or a batch."""
        kept = None if sent is None else Sealed.seal(_Kept(**asdict(sent)), self._keyring()).token
        row = {
            "_id": uuid7(),
            "operation": operation,
            "about": about,
            "message_id": received.message_id,
            "code": code,
            "received_at": self._uow.now,
            "requested_by": by,
            "sealed": kept,
            "reply": seal_bytes(received.body, self._keyring()),
        }
        await self._uow.collection(ANSWERS).insert_one(row)


def batch_of(row: Mapping[str, Any]) -> Batch:
    """The batch of a row."""
    return Batch.model_validate(row["batch"])


async def open_batches(database: AsyncDatabase[Document], *states: BatchState) -> list[Batch]:
    """Batches in one of these states, oldest first."""
    rows = await database[BATCHES].find({"state": {"$in": [state.value for state in states]}}).to_list()
    return sorted((batch_of(row) for row in rows), key=lambda one: one.prepared_at)


async def lines_of_batch(database: AsyncDatabase[Document], batch_id: str, keyring: Keyring) -> list[Line]:
    """The lines of a batch as they were sent, in their order."""
    rows = await database[LINES].find({"batch_id": batch_id}).to_list()
    return [Line(row["_id"], subject_sent(row, keyring)) for row in sorted(rows, key=lambda one: one["position"])]


def subject_sent(row: Mapping[str, Any], keyring: Keyring) -> Subject:
    """What a line or a call sent. Raises SealError."""
    sealed: Sealed[_Kept] = Sealed(row["sealed"])
    return Subject(**sealed.open(keyring, _Kept).model_dump())
