"""A service as its author writes it: handlers, channels, routes and resources declared on one page.

Everything hard (transactions, inbox, outbox, order, retries, probes, stopping) is behind these calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from navette_chassis.clock import Clock, SystemClock
from navette_chassis.received import Received
from navette_chassis.settings import ServiceSettings
from navette_chassis.unit_of_work import Document, UnitOfWork

if TYPE_CHECKING:
    import httpx
    from fastapi import APIRouter, FastAPI
    from navette_contracts.events import Event
    from navette_contracts.sealed import Keyring
    from pymongo.asynchronous.database import AsyncDatabase

    from navette_chassis.deliveries import Channel, Delivery, Outcome

E = TypeVar("E", bound="Event")
T = TypeVar("T")
P = ParamSpec("P")

Handler = Callable[[Received[E], UnitOfWork], Awaitable[None]]


class Mode(StrEnum):
    """What one process of a service does."""

    SERVE = "serve"
    """Everything: routes, consumers, relay, dispatcher."""
    API = "api"
    """Routes and the relay of their events."""
    WORKER = "worker"
    """Consumers, relay, dispatcher; of the routes only health and operations."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler: a consumer group of its own on the topic of one event."""

    name: str
    event_class: type[Event]
    handler: Handler[Any]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index ensured when the service starts."""

    collection: str
    keys: Sequence[tuple[str, int]]
    unique: bool = False
    partial: Mapping[str, Any] | None = None
    ttl: timedelta | None = None


@dataclass(slots=True)
class Resource(Generic[T]):
    """Something opened when the service starts and closed when it stops; call it to get what was opened."""

    factory: Callable[[], AbstractAsyncContextManager[T]]
    _opened: list[T] = field(default_factory=list)

    def __call__(self) -> T:
        """What the context manager yielded; ``RuntimeError`` when the service is not running."""
        if not self._opened:
            message = "the resource is open only while its service runs"
            raise RuntimeError(message)
        return self._opened[0]


@dataclass(frozen=True, slots=True)
class DeliveryHandler:
    """How the deliveries of one channel are attempted and settled."""

    channel: Channel
    attempt: Callable[[Delivery], Awaitable[Outcome]]
    settle: Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]


class Service:
    """One service: declarations first, then ``start``; see ``navette_chassis.run`` for the process around it."""

    def __init__(self, settings: ServiceSettings, *, name: str, clock: Clock | None = None) -> None:
        self.settings = settings
        self.name = name
        self.clock: Clock = clock or SystemClock()
        self.subscriptions: list[Subscription] = []
        self.delivery_handlers: list[DeliveryHandler] = []
        self.routers: list[APIRouter] = []
        self.resources: list[Resource[Any]] = []
        self.indexes: list[Index] = []

    # Declarations

    def on(
        self, event_class: type[E], *, ordered: bool = False, name: str | None = None
    ) -> Callable[[Handler[E]], Handler[E]]:
        """Handle an event, in a consumer group named ``navette-<service>.<handler name>``.

        ``ordered``: an event whose sequence is lower than the highest seen by any ordered handler of this
        service for the same subject is recorded as superseded and not acted on.
        """

        def declare(handler: Handler[E]) -> Handler[E]:
            handler_name = name or getattr(handler, "__name__", "")
            self.subscriptions.append(Subscription(handler_name, event_class, handler, ordered))
            return handler

        return declare

    def deliver(
        self,
        channel: Channel,
        *,
        attempt: Callable[[Delivery], Awaitable[Outcome]],
        settle: Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]],
    ) -> None:
        """Deliver what is scheduled on a channel (``navette_chassis.deliveries``)."""
        self.delivery_handlers.append(DeliveryHandler(channel, attempt, settle))

    def router(self, router: APIRouter) -> None:
        """Serve routes; each must say who may call it (``require``) or that anyone may (``public``)."""
        self.routers.append(router)

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
        raise NotImplementedError

    @property
    def database(self) -> AsyncDatabase[Document]:
        """The service's database, for reads outside a transaction."""
        raise NotImplementedError

    @property
    def keyring(self) -> Keyring:
        """Keys of the sealed fields."""
        raise NotImplementedError

    def client(self, service_name: str) -> httpx.AsyncClient:
        """An HTTP client of another service: base URL, TLS and a service token for that audience."""
        raise NotImplementedError

    @property
    def asgi(self) -> FastAPI:
        """The HTTP application."""
        raise NotImplementedError

    async def start(self, mode: Mode = Mode.SERVE) -> None:
        """Open resources, ensure indexes, start relay, consumers and dispatcher."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop in the order that loses nothing; idempotent."""
        raise NotImplementedError
