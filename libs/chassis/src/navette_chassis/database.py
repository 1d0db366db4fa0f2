"""MongoDB by PyMongo's asynchronous API: one client per process, indexes at start, transactions with retry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from navette_chassis.backoff import Backoff
from navette_chassis.index import Index
from navette_chassis.settings import ServiceSettings
from navette_chassis.steps import Step, reached

Document = dict[str, Any]
T = TypeVar("T")

log = structlog.get_logger("navette.database")

#: How long a transaction is tried again before the caller is told, seconds.
RETRY_SECONDS = 15.0
#: How long one operation looks for a primary before it fails, milliseconds.
SERVER_SELECTION_MS = 3_000
#: How long one answer may take on a connection, milliseconds: a frozen server must not freeze us.
SOCKET_MS = 10_000

_CONFLICT = Backoff(first=0.005, cap=0.5)
_INDEX_EXISTS_DIFFERENTLY = {85, 86}  # IndexOptionsConflict, IndexKeySpecsConflict


def connect(settings: ServiceSettings) -> AsyncMongoClient[Document]:
    """A client inside the running loop; no connection is made before the first operation.

    Majority writes: what is acknowledged survives the loss of a primary.
    """
    return AsyncMongoClient(
        settings.mongo_connection(),
        tz_aware=True,
        appname=f"navette-{settings.service_name}",
        serverSelectionTimeoutMS=SERVER_SELECTION_MS,
        connectTimeoutMS=SERVER_SELECTION_MS,
        socketTimeoutMS=SOCKET_MS,
        w="majority",
        retryWrites=True,
        retryReads=True,
    )


async def ensure_indexes(database: AsyncDatabase[Document], indexes: Sequence[Index]) -> None:
    """Create what is missing. An index that exists with other options is an error: it needs a migration."""
    for index in indexes:
        options: dict[str, Any] = {"unique": True} if index.unique else {}
        if index.partial is not None:
            options["partialFilterExpression"] = dict(index.partial)
        if index.ttl is not None:
            options["expireAfterSeconds"] = int(index.ttl.total_seconds())
        try:
            await database[index.collection].create_index(list(index.keys), **options)
        except OperationFailure as error:
            if error.code in _INDEX_EXISTS_DIFFERENTLY:
                message = f"index on {index.collection} exists with other options: it needs a migration"
                raise RuntimeError(message) from None
            raise


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction may be run again (MongoDB driver specification, error labels)."""
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def _commit_unknown(error: PyMongoError) -> bool:
    return error.has_error_label("UnknownTransactionCommitResult")


async def in_transaction(
    client: AsyncMongoClient[Document],
    work: Callable[[AsyncClientSession], Awaitable[T]],
    *,
    before: Callable[[AsyncClientSession], Awaitable[None]] | None = None,
    retry_seconds: float = RETRY_SECONDS,
) -> T:
    """Run ``work`` in a transaction and commit; again, with a growing delay, when the database says it may.

    ``work`` may run several times and must only touch the database through the session. What it raises aborts
    the transaction and is raised, unless the database labelled it transient and time is left. A commit whose
    outcome is unknown is sent again: committing twice is committing once. ``before`` sees the session of each
    attempt before its transaction begins.
    """
    deadline = asyncio.get_running_loop().time() + retry_seconds
    attempt = 0
    while True:
        attempt += 1
        try:
            return await _attempt(client, work, before, deadline)
        except PyMongoError as error:
            delay = _CONFLICT.delay(attempt)
            if not is_transient(error) or asyncio.get_running_loop().time() + delay > deadline:
                raise
            log.debug("transaction_retried", attempt=attempt)
            await asyncio.sleep(delay)


async def _attempt(
    client: AsyncMongoClient[Document],
    work: Callable[[AsyncClientSession], Awaitable[T]],
    before: Callable[[AsyncClientSession], Awaitable[None]] | None,
    deadline: float,
) -> T:
    async with client.start_session() as session:
        if before is not None:
            await before(session)
        await session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )
        try:
            result = await work(session)
        except BaseException:
            if session.in_transaction:
                # The server forgets an unfinished transaction by itself; the first error is the one that counts.
                with suppress(PyMongoError):
                    await session.abort_transaction()
            raise
        reached(Step.BEFORE_COMMIT)
        await _commit(session, deadline)
        reached(Step.AFTER_COMMIT)
        return result


async def _commit(session: AsyncClientSession, deadline: float) -> None:
    attempt = 0
    while True:
        attempt += 1
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            delay = _CONFLICT.delay(attempt)
            if not _commit_unknown(error) or asyncio.get_running_loop().time() + delay > deadline:
                raise
            await asyncio.sleep(delay)
        else:
            return
