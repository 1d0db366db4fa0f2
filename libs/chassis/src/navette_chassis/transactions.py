"""Runs use cases: one transaction, one unit of work, its events written last, the relay told afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from navette_chassis.clock import Clock
from navette_chassis.database import RETRY_SECONDS, in_transaction
from navette_chassis.origin import Origin
from navette_chassis.orphans import SessionLedger
from navette_chassis.unit_of_work import Deliveries, UnitOfWork

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transactions:
    """Everything a unit of work needs that does not change while the service runs."""

    client: AsyncMongoClient[dict[str, Any]]
    database: AsyncDatabase[dict[str, Any]]
    clock: Clock
    source: str
    deliveries: Deliveries
    sessions: SessionLedger
    on_promises: Callable[[], None]
    """Called after a commit that left outbox rows: wakes the relay of this process."""
    on_scheduled: Callable[[], None]
    """Called after a commit that scheduled deliveries: wakes the dispatcher of this process."""

    async def run(
        self,
        use_case: Callable[[UnitOfWork], Awaitable[T]],
        origin: Origin,
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> T:
        """Run ``await use_case(uow)`` in one transaction; each retry gets a fresh unit of work.

        Raises what the use case raises, or ``PyMongoError`` when the database stays unavailable.
        """
        last: list[UnitOfWork] = []

        async def work(session: AsyncClientSession) -> T:
            uow = UnitOfWork(
                self.database,
                session,
                now=self.clock.now(),
                origin=origin,
                source=self.source,
                deliveries=self.deliveries,
            )
            last[:] = [uow]
            result = await use_case(uow)
            await uow.write_promises()
            return result

        result = await in_transaction(self.client, work, before=self.sessions.note, retry_seconds=retry_seconds)
        if last[0].promised:
            self.on_promises()
        if last[0].scheduled:
            self.on_scheduled()
        return result
