"""One unit of work: everything a use case writes, in one MongoDB transaction.

A use case receives it, reads and writes through it, and never opens or commits one. Its events are rows of
the ``outbox`` collection of the same transaction, so that state and promise agree whatever happens next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.results import DeleteResult, InsertManyResult, InsertOneResult, UpdateResult

from navette_chassis.origin import Origin
from navette_chassis.outbox import OUTBOX, Promise, row_of

if TYPE_CHECKING:
    from navette_contracts.events import Event

Document = dict[str, Any]


class Deliveries(Protocol):
    """What the unit of work needs of the delivery store (``navette_chassis.deliveries``)."""

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
        """Write the work item; False if the key exists already on this channel."""
        ...

    async def cancel(self, uow: UnitOfWork, channel: str, key: str, reason_code: str) -> bool:
        """Cancel an item that was not delivered yet; False if there was nothing to cancel."""
        ...


class NoDeliveries:
    """The delivery store of a service that declares no channel: scheduling is a programming error."""

    async def schedule(self, *_: Any, **__: Any) -> bool:
        """Refuse (``LookupError``)."""
        message = "the service declares no channel: Service.deliver"
        raise LookupError(message)

    cancel = schedule


class BoundCollection:
    """The methods of a PyMongo collection, each inside the transaction of the unit of work."""

    def __init__(self, collection: AsyncCollection[Document], session: AsyncClientSession) -> None:
        self._collection = collection
        self._session = session

    async def find_one(self, *args: Any, **kwargs: Any) -> Document | None:
        return await self._collection.find_one(*args, session=self._session, **kwargs)

    def find(self, *args: Any, **kwargs: Any) -> AsyncCursor[Document]:
        return self._collection.find(*args, session=self._session, **kwargs)

    async def aggregate(self, pipeline: Sequence[Document], **kwargs: Any) -> AsyncCommandCursor[Document]:
        return await self._collection.aggregate(pipeline, session=self._session, **kwargs)

    async def count_documents(self, query: Document, **kwargs: Any) -> int:
        return await self._collection.count_documents(query, session=self._session, **kwargs)

    async def insert_one(self, document: Document, **kwargs: Any) -> InsertOneResult:
        return await self._collection.insert_one(document, session=self._session, **kwargs)

    async def insert_many(self, documents: Sequence[Document], **kwargs: Any) -> InsertManyResult:
        return await self._collection.insert_many(documents, session=self._session, **kwargs)

    async def update_one(self, query: Document, update: Any, **kwargs: Any) -> UpdateResult:
        return await self._collection.update_one(query, update, session=self._session, **kwargs)

    async def update_many(self, query: Document, update: Any, **kwargs: Any) -> UpdateResult:
        return await self._collection.update_many(query, update, session=self._session, **kwargs)

    async def replace_one(self, query: Document, document: Document, **kwargs: Any) -> UpdateResult:
        return await self._collection.replace_one(query, document, session=self._session, **kwargs)

    async def find_one_and_update(self, query: Document, update: Any, **kwargs: Any) -> Document | None:
        found: Document | None = await self._collection.find_one_and_update(
            query, update, session=self._session, **kwargs
        )
        return found

    async def find_one_and_replace(self, query: Document, document: Document, **kwargs: Any) -> Document | None:
        found: Document | None = await self._collection.find_one_and_replace(
            query, document, session=self._session, **kwargs
        )
        return found

    async def find_one_and_delete(self, query: Document, **kwargs: Any) -> Document | None:
        found: Document | None = await self._collection.find_one_and_delete(query, session=self._session, **kwargs)
        return found

    async def delete_one(self, query: Document, **kwargs: Any) -> DeleteResult:
        return await self._collection.delete_one(query, session=self._session, **kwargs)

    async def delete_many(self, query: Document, **kwargs: Any) -> DeleteResult:
        return await self._collection.delete_many(query, session=self._session, **kwargs)


class UnitOfWork:
    """Reads, writes, events and deliveries of one use case: all of them, or none."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        session: AsyncClientSession,
        *,
        now: datetime,
        origin: Origin,
        source: str,
        deliveries: Deliveries,
    ) -> None:
        self._database = database
        self._session = session
        self._deliveries = deliveries
        self._source = source
        self._promises: list[Promise] = []
        self.now = now
        """The instant of this unit of work (aware, UTC, milliseconds): the same for all it writes."""
        self.origin = origin
        """Correlation and causation that its events carry."""
        self.scheduled = False
        """Whether a delivery was scheduled."""

    @property
    def promised(self) -> bool:
        """Whether events were emitted."""
        return bool(self._promises)

    def collection(self, name: str) -> BoundCollection:
        """A collection whose every operation belongs to this transaction."""
        return BoundCollection(self._database[name], self._session)

    async def emit(self, event: Event, *, subject: str, sequence: int | None = None) -> None:
        """Promise an event: it leaves for its topic, keyed by ``subject``, once this unit of work is committed.

        ``sequence`` orders the events of one subject for consumers that declare ``ordered=True``. Raises
        ``ValueError`` when ``subject`` is not the key the event declares.
        """
        if subject != event.key:
            message = f"the subject of {event.type} must be its {event.key_field}"
            raise ValueError(message)
        self._promises.append(Promise(event=event, subject=subject, sequence=sequence))

    async def schedule(
        self,
        channel: str,
        *,
        key: str,
        group: str,
        payload: Mapping[str, Any],
        not_before: datetime | None = None,
    ) -> bool:
        """Schedule a call to the outside world on a declared channel; False if ``key`` is known already.

        ``group`` serialises: one delivery of a group is in flight at a time.
        """
        is_new = await self._deliveries.schedule(
            self, channel, key=key, group=group, payload=payload, not_before=not_before
        )
        self.scheduled = self.scheduled or is_new
        return is_new

    async def cancel(self, channel: str, key: str, reason_code: str) -> bool:
        """Cancel a delivery that did not reach a terminal state; False if there is none."""
        return await self._deliveries.cancel(self, channel, key, reason_code)

    async def record_access(
        self, actor: str, action: str, object_kind: str, object_id: str, site_id: str | None, outcome: str
    ) -> None:
        """Write one line of the audit stream; ``outcome`` is "granted" or "refused" (``navette_chassis.audit``)."""
        from navette_chassis import audit

        await audit.record(
            self,
            actor=actor,
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            site_id=site_id,
            outcome=outcome,
        )

    async def write_promises(self) -> None:
        """Write the outbox rows, last of all writes; called by the transaction runner just before commit.

        The ids are made here: a transaction that saw what another committed gets later ids than it, so that
        ids order the events of one key.
        """
        rows = [row_of(promise, self._source, self.origin, self.now) for promise in self._promises]
        if rows:
            await self.collection(OUTBOX).insert_many(rows)
