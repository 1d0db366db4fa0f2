"""The durable side of deliveries: scheduling inside a unit of work, claiming, and every write under a lease."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, OperationFailure

from navette_chassis.clock import Clock
from navette_chassis.deliveries import rows
from navette_chassis.deliveries.model import DeliveryState, Outcome
from navette_chassis.deliveries.rows import DONE, OPEN, Claim, Row
from navette_chassis.settings import ServiceSettings
from navette_chassis.telemetry.tracing import current_traceparent

if TYPE_CHECKING:
    from navette_chassis.service import DeliveryHandler
    from navette_chassis.transactions import Transactions
    from navette_chassis.unit_of_work import UnitOfWork


class Host(Protocol):
    """What deliveries need of the service they belong to (``navette_chassis.Service`` has it)."""

    settings: ServiceSettings
    clock: Clock
    delivery_handlers: list[DeliveryHandler]

    @property
    def database(self) -> AsyncDatabase[dict[str, Any]]: ...

    @property
    def transactions(self) -> Transactions: ...


class LeaseLostError(Exception):
    """Another worker took the delivery over: this one may write nothing about it any more."""


class DeliveryStore:
    """Deliveries of one service. Methods that take a unit of work write inside its transaction."""

    INDEXES = rows.INDEXES

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def _open(self) -> AsyncCollection[dict[str, Any]]:
        return self._host.database[OPEN]

    # Scheduling

    async def schedule(
        self,
        uow: UnitOfWork,
        channel: str,
        *,
        key: str,
        group: str,
        payload: Mapping[str, Any],
        not_before: datetime | None = None,
    ) -> bool:
        """Write the work item; False if the key exists already on this channel, ended or not.

        Raises ``LookupError`` on a channel the service does not declare.
        """
        if channel not in {handler.channel.name for handler in self._host.delivery_handlers}:
            message = f"no channel named {channel} is declared"
            raise LookupError(message)
        same = {"channel": channel, "key": key}
        for collection in (DONE, OPEN):
            if await uow.collection(collection).find_one(same, projection={"_id": True}) is not None:
                return False
        row = rows.new_row(
            channel,
            key=key,
            group=group,
            payload=payload,
            not_before=not_before,
            now=uow.now,
            origin=uow.origin,
            traceparent=current_traceparent(),
        )
        await self._append(uow, row)
        return True

    async def cancel(self, uow: UnitOfWork, channel: str, key: str, reason_code: str) -> bool:
        """Ask for an open item to end as cancelled; False if none is open.

        The dispatcher ends it, so that ``settle`` is called as for every other end. An attempt in flight is
        not interrupted: if it delivers, the item is delivered.
        """
        Outcome.cancelled(reason_code)  # refuses what is not a code
        collection = uow.collection(OPEN)
        row = await collection.find_one({"channel": channel, "key": key})
        if row is None:
            return False
        change: dict[str, Any] = {"cancel_code": reason_code}
        if "head" in row and row["state"] != DeliveryState.IN_PROGRESS:
            change |= rows.placing({**row, **change}, uow.now)
        await collection.update_one({"_id": row["_id"]}, {"$set": change, "$inc": {"rev": 1}})
        uow.scheduled = True  # wakes the dispatcher after commit
        return True

    async def _append(self, uow: UnitOfWork, row: Row) -> None:
        """Put a row at the end of its group, as its head if the group has no open row."""
        collection = uow.collection(OPEN)
        last = await collection.find({"group": row["group"]}).sort("position", -1).limit(1).to_list()
        row["position"] = last[0]["position"] + 1 if last else 1
        if last:
            # Touched so that a transaction that ends the last row at this moment conflicts with this one.
            await collection.update_one({"_id": last[0]["_id"]}, {"$inc": {"followers": 1, "rev": 1}})
        else:
            row |= rows.placing(row, uow.now)
        try:
            await collection.insert_one(row)
        except DuplicateKeyError:
            # Another transaction scheduled the key, or became head of the group, since ours began: run again.
            raise _again() from None

    # Claiming

    async def due(self, lane: str, now: datetime, limit: int) -> list[Row]:
        """Claimable rows of a lane, oldest first."""
        query = {"lane": lane, "due": {"$lte": now}}
        return await self._open.find(query).sort("due", 1).limit(limit).to_list()

    async def claim(self, row: Mapping[str, Any], now: datetime, lease_seconds: float) -> Claim | None:
        """Take a row read by ``due``; None if anything about it changed since.

        A row whose lease ran out is taken over: its last attempt may have been accepted.
        """
        crashed = row["state"] == DeliveryState.IN_PROGRESS
        claim = Claim(
            row=row,
            token=secrets.token_hex(16),
            attempt=row["attempt"] + (0 if row["cancel_code"] else 1),
            must_query=row["must_query"] or crashed,
            first_attempt_at=row["first_attempt_at"] or now,
        )
        update: dict[str, Any] = {
            "$set": {
                "state": DeliveryState.IN_PROGRESS.value,
                "attempt": claim.attempt,
                "must_query": claim.must_query,
                "first_attempt_at": claim.first_attempt_at,
                "due": now + timedelta(seconds=lease_seconds),
                "lease": {"token": claim.token, "since": now},
            },
            "$inc": {"rev": 1},
        }
        if crashed:
            entry = rows.attempt_entry(
                row["attempt"], Outcome.ambiguous("lease_expired"), row["lease"]["since"], row["due"]
            )
            update["$push"] = rows.appended(entry)
        result = await self._open.update_one({"_id": row["_id"], "rev": row["rev"]}, update)
        return claim if result.modified_count == 1 else None

    # Under a lease

    async def renew(self, claim: Claim, now: datetime, lease_seconds: float) -> bool:
        """Prolong a lease; False when it was taken over."""
        due = now + timedelta(seconds=lease_seconds)
        result = await self._open.update_one(claim.owned, {"$set": {"due": due}, "$inc": {"rev": 1}})
        return result.matched_count == 1

    async def cancel_code(self, claim: Claim) -> str | None:
        """The reason of a cancellation asked for meanwhile. Raises ``LeaseLostError``."""
        row = await self._open.find_one(claim.owned, projection={"cancel_code": True})
        if row is None:
            raise LeaseLostError
        code: str | None = row["cancel_code"]
        return code

    async def later(
        self,
        claim: Claim,
        state: DeliveryState,
        due: datetime,
        *,
        entry: Mapping[str, Any],
        must_query: bool,
        counts: bool = True,
    ) -> None:
        """Give the row back for another attempt at ``due``; ``counts``: whether the delay grows next time.

        Raises ``LeaseLostError``.
        """
        update = {
            "$set": {"state": state.value, "due": due, "must_query": must_query},
            "$unset": {"lease": ""},
            "$inc": {"rev": 1, "retries": 1 if counts else 0},
            "$push": rows.appended(entry),
        }
        result = await self._open.update_one(claim.owned, update)
        if result.matched_count != 1:
            raise LeaseLostError

    async def end(
        self,
        uow: UnitOfWork,
        claim: Claim,
        state: DeliveryState,
        outcome: Outcome,
        entry: Mapping[str, Any] | None,
    ) -> None:
        """Write a final state and let the next of the group go. Raises ``LeaseLostError``."""
        collection = uow.collection(OPEN)
        row = await collection.find_one(claim.owned)
        if row is None or (await collection.delete_one(claim.owned)).deleted_count != 1:
            raise LeaseLostError
        known = row | {"must_query": claim.must_query}  # the last attempt too may have been accepted
        await uow.collection(DONE).insert_one(rows.finished(known, state, outcome, entry, uow.now))
        following: Sequence[Row] = await collection.find({"group": row["group"]}).sort("position", 1).limit(1).to_list()
        for head in following:
            update = {"$set": rows.placing(head, uow.now), "$inc": {"rev": 1}}
            await collection.update_one({"_id": head["_id"]}, update)
            uow.scheduled = True  # wakes the dispatcher after commit

    # Operations

    async def replay(self, uow: UnitOfWork, delivery_id: str) -> str:
        """Let an ended delivery (failed, rejected, cancelled) or a waiting one go at once.

        Returns "replayed", or why not: "not_found", "delivered", "in_progress", "behind_another".
        What it may already have done is kept: an uncertain attempt is still asked about first.
        """
        waiting = await uow.collection(OPEN).find_one({"_id": delivery_id})
        if waiting is not None:
            return await self._hasten(uow, waiting)
        done = uow.collection(DONE)
        row = await done.find_one({"_id": delivery_id})
        if row is None:
            return "not_found"
        if row["state"] == DeliveryState.DELIVERED:
            return "delivered"
        await done.delete_one({"_id": delivery_id})
        ended = {"finished_at", "code", "who_must_act", "remote_ids"}
        again = {name: value for name, value in row.items() if name not in ended}
        again |= {
            "state": DeliveryState.SCHEDULED.value,
            "not_before": None,
            "cancel_code": None,
            "first_attempt_at": None,
            "retries": 0,
            "rev": row["rev"] + 1,
        }
        await self._append(uow, again)
        uow.scheduled = True
        return "replayed"

    async def _hasten(self, uow: UnitOfWork, row: Row) -> str:
        if row["state"] == DeliveryState.IN_PROGRESS:
            return "in_progress"
        if "head" not in row:
            return "behind_another"
        change = {"due": uow.now, "retries": 0}
        await uow.collection(OPEN).update_one({"_id": row["_id"]}, {"$set": change, "$inc": {"rev": 1}})
        uow.scheduled = True
        return "replayed"

    async def find(self, query: Mapping[str, Any], *, ended: bool, limit: int) -> list[Row]:
        """Rows for operators, newest first, without payload."""
        collection = self._host.database[DONE if ended else OPEN]
        return await collection.find(query, projection={"payload": False}).sort("_id", -1).limit(limit).to_list()

    async def count(self, query: Mapping[str, Any], *, ended: bool) -> int:
        """How many rows a query of ``find`` matches."""
        return await self._host.database[DONE if ended else OPEN].count_documents(dict(query))

    async def standing(self) -> list[dict[str, Any]]:
        """Per channel and state: number and oldest creation of open rows, number of failed ones."""
        groups: dict[str, Any] = {
            "_id": {"channel": "$channel", "state": "$state"},
            "number": {"$sum": 1},
            "oldest": {"$min": "$created_at"},
        }
        found = await (await self._open.aggregate([{"$group": groups}])).to_list()
        failed = [{"$match": {"state": DeliveryState.FAILED.value}}, {"$group": groups}]
        return [*found, *await (await self._host.database[DONE].aggregate(failed)).to_list()]


def _again() -> OperationFailure:
    return OperationFailure("concurrent scheduling", 112, {"errorLabels": ["TransientTransactionError"]})
