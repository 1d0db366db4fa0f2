"""The audit stream: who did what to which object, kept apart from logs and traces (engineering.md §13).

A line is written in the transaction of what it is about, so that neither exists without the other: once as a
row of the service's own ``audit`` collection, once as ``access.recorded`` through the outbox for the sink that
gathers all services. Lines hold opaque ids and codes, never content.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from navette_contracts.events import AccessRecorded

from navette_chassis.ids import uuid7
from navette_chassis.index import Index

if TYPE_CHECKING:
    from navette_chassis.unit_of_work import UnitOfWork

AUDIT = "audit"
#: CNIL délibération 2021-122: access logs are kept six months to one year.
KEPT = timedelta(days=365)

INDEXES = (
    Index(AUDIT, [("at", 1)], ttl=KEPT),
    Index(AUDIT, [("object_id", 1), ("at", 1)]),
)


async def record(
    uow: UnitOfWork,
    *,
    actor: str,
    action: str,
    object_kind: str,
    object_id: str,
    site_id: str | None,
    outcome: str,
) -> None:
    """Write one line in the unit of work; ``outcome`` is "granted" or "refused".

    Raises ``pydantic.ValidationError`` (values hidden) on anything that is not an opaque id or a code.
    """
    event = AccessRecorded.model_validate(
        {
            "actor": actor,
            "action": action,
            "object_kind": object_kind,
            "object_id": object_id,
            "site_id": site_id,
            "outcome": outcome,
            "at": uow.now,
        }
    )
    row = {"_id": uuid7(), **event.model_dump(), "correlation_id": uow.origin.correlation_id}
    await uow.collection(AUDIT).insert_one(row)
    await uow.emit(event, subject=event.key)
