"""What was handled already: one row per (consumer, event id), written in the transaction of the handling.

Exactly once does not exist between Kafka and MongoDB; once per (consumer, event id) does, and that is what a
user sees. The highest sequence seen per subject decides what is superseded.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pymongo.errors import DuplicateKeyError

from navette_chassis.index import Index
from navette_chassis.unit_of_work import UnitOfWork

#: Collection of the rows of what was handled.
INBOX = "inbox"
#: Collection of the highest sequence seen per subject by the ordered handlers of a service.
SEQUENCES = "sequences"
#: Rows outlive the retention of every topic and the longest replay window (engineering.md §5).
KEPT = timedelta(days=90)

INDEXES = (
    Index(INBOX, (("handled_at", 1),), ttl=KEPT),
    Index(SEQUENCES, (("first_seen_at", 1),), ttl=timedelta(days=400)),
)


class Handled(StrEnum):
    """What became of a message."""

    DONE = "done"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"


class AlreadyHandledError(Exception):
    """The inbox holds this event for this consumer: acknowledge and go on."""


def row_id(consumer: str, event_id: str) -> str:
    """The pair as one ``_id``: its unique index exists from the first row on, on every MongoDB."""
    return f"{consumer}/{event_id}"


async def register(uow: UnitOfWork, consumer: str, event_id: str) -> None:
    """First write of a handling. Raises ``AlreadyHandledError`` for a duplicate; the transaction is void then."""
    try:
        await uow.collection(INBOX).insert_one(
            {"_id": row_id(consumer, event_id), "handled_at": uow.now, "outcome": Handled.DONE}
        )
    except DuplicateKeyError:
        raise AlreadyHandledError from None


async def mark_superseded(uow: UnitOfWork, consumer: str, event_id: str) -> None:
    """Record that the event came after a later one of its subject and was not acted on."""
    await uow.collection(INBOX).update_one(
        {"_id": row_id(consumer, event_id)}, {"$set": {"outcome": Handled.SUPERSEDED}}
    )


async def is_superseded(uow: UnitOfWork, subject: str, sequence: int) -> bool:
    """Note the sequence of a subject; True when a higher one was seen before."""
    sequences = uow.collection(SEQUENCES)
    noted = await sequences.update_one(
        {"_id": subject},
        {"$max": {"highest": sequence}, "$setOnInsert": {"first_seen_at": uow.now}},
        upsert=True,
    )
    if noted.upserted_id is not None or noted.modified_count:
        return False
    highest = await sequences.find_one({"_id": subject})
    return highest is not None and int(highest["highest"]) > sequence
