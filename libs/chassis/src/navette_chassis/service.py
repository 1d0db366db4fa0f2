"""A service as its author writes it: handlers, channels, routes and resources declared on one page.

Everything hard (transactions, inbox, outbox, order, retries, probes, stopping) is behind these calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from navette_contracts.events import Event
from navette_contracts.sealed import Keyring

from navette_chassis.clock import Clock, SystemClock
from navette_chassis.index import Index
from navette_chassis.keyring_file import KeyringFile
from navette_chassis.origin import current_origin
from navette_chassis.settings import ServiceSettings
from navette_chassis.subscription import Handler, Subscription
from navette_chassis.unit_of_work import Document, UnitOfWork

if TYPE_CHECKING:
    import httpx
    from fastapi import APIRouter, FastAPI
    from pymongo.asynchronous.database import AsyncDatabase

    from navette_chassis.deliveries import Channel, Delivery, Outcome
    from navette_chassis.deliveries.store import DeliveryStore
    from navette_chassis.lifecycle import Running
    from navette_chassis.transactions import Transactions

log = structlog.get_logger("navette.service")

E = TypeVar("E", bound=Event)
T = TypeVar("T")


class Mode(StrEnum):
    """What one process of a service does."""

    SERVE = "serve"
    """Everything: routes, consumers, relay, dispatcher."""
    API = "api"
    """Routes and the relay of their events."""
    WORKER = "worker"
    """Consumers, relay, dispatcher; of the routes only health and operations."""

    @property
    def works(self) -> bool:
        """Whether the process consumes events and dispatches deliveries."""
        return self is not Mode.API


@dataclass(slots=True)
class Resource(Generic[T]):
    """Something opened when the service starts and closed when it stops; call it to get what was opened."""

    factory: Callable[[], AbstractAsyncContextManager[T]]
    opened: list[T] = field(default_factory=list)

    def __call__(self) -> T:
        """What the context manager yielded; ``RuntimeError`` when the service is not running."""
        if not self.opened:
            message = "the resource is open only while its service runs"
            raise RuntimeError(message)
        return self.opened[0]


@dataclass(frozen=True, slots=True)
class DeliveryHandler:
    """How the deliveries of one channel are attempted and settled."""

    channel: Channel
    attempt: Callable[[Delivery], Awaitable[Outcome]]
    settle: Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]
    obsolete: Callable[[Mapping[str, Any], UnitOfWork], Awaitable[str | None]] | None = None
    """Why a delivery with this payload must never go again, as a French sentence; None if it may."""


class Service:
    """One service: declarations first, then ``start``; see ``navette_chassis.run`` for the process around it."""

    def __init__(self, settings: ServiceSettings, *, name: str, clock: Clock | None = None) -> None:
        self.settings = settings
        self.name = name
        self.clock: Clock = clock or SystemClock()
        self.mode = Mode.SERVE
        """What this process does; set before ``asgi`` is built."""
        self.subscriptions: list[Subscription] = []
        self.delivery_handlers: list[DeliveryHandler] = []
        self.routers: list[APIRouter] = []
        self.rule_words: dict[str, str] = {}
        self.document_paths: tuple[str, ...] = ()
        self.resources: list[Resource[Any]] = []
        self.indexes: list[Index] = []
        self._running: Running | None = None
        self._asgi: FastAPI | None = None
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._keyring: KeyringFile | None = None

    # Declarations

    def on(
        self, event_class: type[E], *, ordered: bool = False, name: str | None = None
    ) -> Callable[[Handler[E]], Handler[E]]:
        """Handle an event, in a consumer group named ``navette-<service>.<handler name>``.

        ``ordered``: an event whose sequence is lower than the highest seen by any ordered handler of this
        service for the same subject is recorded as superseded and not acted on. Raises ``ValueError`` when
        two handlers of the service have the same name: they would share a group and each miss events.
        """

        def declare(handler: Handler[E]) -> Handler[E]:
            handler_name = name or getattr(handler, "__name__", "")
            if not handler_name or any(known.name == handler_name for known in self.subscriptions):
                message = f"a handler of {event_class.type} needs a name of its own: pass name="
                raise ValueError(message)
            self.subscriptions.append(Subscription(self.name, handler_name, event_class, handler, ordered=ordered))
            return handler

        return declare

    def deliver(
        self,
        channel: Channel,
        *,
        attempt: Callable[[Delivery], Awaitable[Outcome]],
        settle: Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]],
        obsolete: Callable[[Mapping[str, Any], UnitOfWork], Awaitable[str | None]] | None = None,
    ) -> None:
        """Deliver what is scheduled on a channel (``navette_chassis.deliveries``).

        ``obsolete`` is asked before an operator's replay of an ended delivery, with its payload: a French
        sentence says why it must not go again, whatever ended it; None lets it go.
        """
        if any(known.channel.name == channel.name for known in self.delivery_handlers):
            message = f"the channel {channel.name} is declared twice"
            raise ValueError(message)
        self.delivery_handlers.append(DeliveryHandler(channel, attempt, settle, obsolete))

    def router(self, router: APIRouter) -> None:
        """Serve routes; each must say who may call it (``require``) or that anyone may (``public``)."""
        self.routers.append(router)

    def takes_documents(self, *paths: str) -> None:
        """Routes whose path begins like one of these take bodies up to ``max_document_body_bytes``."""
        self.document_paths += paths

    def words(self, rules: Mapping[str, str]) -> None:
        """French sentences of the rules that the models of this service's bodies break, by code."""
        self.rule_words.update(rules)

    @property
    def served_routers(self) -> Sequence[APIRouter]:
        """The routers this process serves: none in a worker."""
        return [] if self.mode is Mode.WORKER else self.routers

    def resource(self, factory: Callable[[], AbstractAsyncContextManager[T]]) -> Resource[T]:
        """Open something at start and close it at stop, in reverse order; call the result to use it."""
        resource = Resource(factory)
        self.resources.append(resource)
        return resource

    def index(
        self,
        collection: str,
        keys: str | Sequence[tuple[str, int]],
        *,
        unique: bool = False,
        partial: Mapping[str, Any] | None = None,
        ttl: timedelta | None = None,
    ) -> None:
        """Ensure an index at start; ``ttl`` removes documents that long after the (single) date field."""
        pairs = [(keys, 1)] if isinstance(keys, str) else list(keys)
        self.indexes.append(Index(collection, pairs, unique, partial, ttl))

    # Use

    async def transact(self, use_case: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run ``await use_case(uow, *args, **kwargs)`` in one transaction; it may run more than once.

        Raises what the use case raises (nothing is written then), or ``pymongo.errors.PyMongoError`` when the
        database stays unavailable.
        """
        return await self.transactions.run(lambda uow: use_case(uow, *args, **kwargs), current_origin())

    @property
    def running(self) -> Running:
        """What exists only while the service runs; ``RuntimeError`` before ``start`` and after ``stop``."""
        if self._running is None:
            message = "the service does not run"
            raise RuntimeError(message)
        return self._running

    @property
    def transactions(self) -> Transactions:
        """The transaction runner, for work whose origin is not that of the present context."""
        return self.running.transactions

    @property
    def delivery_store(self) -> DeliveryStore:
        """The deliveries of this service; ``LookupError`` when it declares no channel."""
        store = self.running.delivery_store
        if store is None:
            message = "the service declares no channel"
            raise LookupError(message)
        return store

    @property
    def database(self) -> AsyncDatabase[Document]:
        """The service's database, for reads outside a transaction."""
        return self.running.database

    @property
    def keyring(self) -> Keyring:
        """Keys of the sealed fields, read again when the file has changed; ``RuntimeError`` if none is configured."""
        path = self.settings.keyring
        if path is None:
            message = "no keyring is configured: NAVETTE_KEYRING"
            raise RuntimeError(message)
        if self._keyring is None:
            self._keyring = KeyringFile(path)
        return self._keyring.keys()

    def client(self, service_name: str) -> httpx.AsyncClient:
        """An HTTP client of another service: base URL, TLS and a service token for that audience."""
        if service_name not in self._clients:
            from navette_chassis.http import service_client

            self._clients[service_name] = service_client(self, service_name)
        return self._clients[service_name]

    @property
    def asgi(self) -> FastAPI:
        """The HTTP application."""
        if self._asgi is None:
            from navette_chassis.http import build_app

            self._asgi = build_app(self)
        return self._asgi

    async def checks(self) -> dict[str, str]:
        """Readiness by name: "ok" or a reason code; the service is ready when all are "ok"."""
        if self._running is None:
            return {"service": "not_started"}
        return await self._running.checks()

    async def backlog(self) -> tuple[datetime | None, int]:
        """When the oldest event still in the outbox was promised (None: all have left), and how many there are."""
        relay = self.running.relay
        return await relay.oldest_unpublished(), await relay.unpublished()

    async def start(self, mode: Mode = Mode.SERVE) -> None:
        """Open resources, ensure indexes, start relay, consumers and dispatcher.

        Waits for the database as long as it takes; the broker is joined in the background. ``checks`` tells.
        """
        if self._running is not None:
            message = "the service runs already"
            raise RuntimeError(message)
        from navette_chassis.lifecycle import Running

        self.mode = mode
        self._running = Running(self, mode)
        try:
            await self._running.start()
        except BaseException:
            await self.stop()
            raise

    def drain(self) -> None:
        """Say that the stop has begun: not ready any more, nothing new is taken."""
        if self._running is not None:
            self._running.drain()

    async def stop(self) -> None:
        """Stop in the order that loses nothing; idempotent."""
        if self._running is None:
            return
        await self._running.stop()
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()
        self._running = None
