"""What exists while a service runs, in the order it is started and, reversed, stopped (engineering.md §8).

Stop: not ready → no new work is taken → handlers and attempts in flight finish and their offsets are committed →
the relay sends what they promised → producer, resources and database are closed. Each wait is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog
from pymongo.errors import PyMongoError

from navette_chassis import audit, inbox, orphans
from navette_chassis.backoff import Backoff, wait_or_stop
from navette_chassis.broker import ConsumerGroups
from navette_chassis.consumers import Consumer
from navette_chassis.database import connect, ensure_indexes
from navette_chassis.lease import Lease
from navette_chassis.orphans import SessionLedger
from navette_chassis.producer import PUBLISH_SECONDS, KafkaConnection, KafkaTls, Producer
from navette_chassis.relay import Relay
from navette_chassis.telemetry import metrics
from navette_chassis.transactions import Transactions
from navette_chassis.unit_of_work import NoDeliveries

if TYPE_CHECKING:
    from navette_chassis.deliveries.dispatcher import Dispatcher
    from navette_chassis.deliveries.store import DeliveryStore
    from navette_chassis.service import Mode, Service

log = structlog.get_logger("navette.lifecycle")

#: How long a readiness probe may ask the database or the broker, seconds.
PROBE_SECONDS = 2.0
#: Time between two looks at the certificate files, seconds.
TLS_LOOK_SECONDS = 5.0

_UNTIL_DATABASE = Backoff(first=0.2, cap=5.0)
_RESTART = Backoff(first=0.5, cap=10.0)


class Running:
    """The running parts of one service in one process."""

    def __init__(self, service: Service, mode: Mode) -> None:
        settings = service.settings
        self._service = service
        self._mode = mode
        self.client = connect(settings)
        self.database = self.client[settings.mongo_database]
        self.intake_stop = asyncio.Event()
        """Set when nothing new may be taken: consumers and dispatcher stop."""
        self._relay_stop = asyncio.Event()
        self._lease_stop = asyncio.Event()
        self.kafka = KafkaConnection.of(settings)
        self.producer = Producer(self.kafka, idempotent=settings.kafka_idempotent)
        self.lease = Lease(
            self.database,
            "relay",
            holder=f"{socket.gethostname()}-{secrets.token_hex(8)}",
            ttl_seconds=settings.lease_ttl_seconds,
        )
        self.relay = Relay(self.database, self.producer, self.lease, poll_seconds=settings.outbox_poll_seconds)
        self.delivery_store: DeliveryStore | None = None
        self.dispatcher: Dispatcher | None = None
        if service.delivery_handlers:
            self._prepare_deliveries()
        self.sessions = SessionLedger(self.database, service.clock)
        self.transactions = Transactions(
            client=self.client,
            database=self.database,
            clock=service.clock,
            source=f"/navette/{service.name}",
            deliveries=self.delivery_store or NoDeliveries(),
            sessions=self.sessions,
            on_promises=self.relay.nudge,
            on_scheduled=self.dispatcher.nudge if self.dispatcher is not None else _nobody_waits,
        )
        subscriptions = service.subscriptions if mode.works else []
        keyring = (lambda: service.keyring) if settings.keyring is not None else None
        self.consumers = [
            Consumer(one, self.transactions, self.producer, service.clock, self.intake_stop, keyring)
            for one in subscriptions
        ]
        self.groups = ConsumerGroups(settings, self.kafka, self.consumers, self.intake_stop)
        self._resources = AsyncExitStack()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = False

    def _prepare_deliveries(self) -> None:
        from navette_chassis.deliveries.dispatcher import Dispatcher
        from navette_chassis.deliveries.store import DeliveryStore

        self.delivery_store = DeliveryStore(self._service)
        if self._mode.works:
            self.dispatcher = Dispatcher(self._service, self.delivery_store)

    async def start(self) -> None:
        """Start everything; returns when the database has answered and the rest is under way."""
        await self._until_database(self._prepare_database)
        for resource in self._service.resources:
            resource.opened[:] = [await self._resources.enter_async_context(resource.factory())]
        self._spawn("lease", lambda: self.lease.keep(self._lease_stop, self._lease_lost))
        self._spawn("relay", lambda: self.relay.run(self._relay_stop))
        if self.dispatcher is not None:
            dispatcher = self.dispatcher
            self._spawn("dispatcher", lambda: dispatcher.run(self.intake_stop))
        if self.kafka.tls is not None:
            tls = self.kafka.tls
            self._spawn("certificates", lambda: self._watch(tls))
        if self._service.settings.otlp_endpoint is not None:
            from navette_chassis.health import keep_sampling

            self._spawn("gauges", lambda: keep_sampling(self._service, self.intake_stop))
        for consumer in self.consumers:
            metrics().set("navette_consumer_stopped", 0, consumer=consumer.subscription.name)
        await self.groups.start()
        metrics().observe("navette_relay_active", lambda: float(self.lease.held))
        self._started = True
        log.info("service_started", service=self._service.name, mode=self._mode.value)

    def drain(self) -> None:
        """Take nothing new."""
        self.intake_stop.set()

    async def stop(self) -> None:
        """Stop everything, bounded whatever broker and database do."""
        grace = self._service.settings.graceful_stop_seconds
        self.drain()
        await asyncio.gather(self.groups.stop(), self._finish("dispatcher", grace))
        self._relay_stop.set()
        await self._finish("relay", PUBLISH_SECONDS + 1)
        self._lease_stop.set()
        await self._finish("lease", self._service.settings.lease_ttl_seconds)
        await self._finish("certificates", 1.0)
        await self._finish("gauges", 1.0)
        await self.producer.stop()
        for resource in self._service.resources:
            resource.opened.clear()
        await self._resources.aclose()
        with contextlib.suppress(PyMongoError):
            await self.sessions.forget()
        await self.client.close()
        log.info("service_stopped", service=self._service.name, mode=self._mode.value)

    async def checks(self) -> dict[str, str]:
        """Readiness by name: "ok" or a reason code."""
        database, broker = await asyncio.gather(self._database_answers(), self.producer.answers(PROBE_SECONDS))
        results = {
            "service": _say(self._started, "starting"),
            "database": _say(database, "unreachable"),
            "broker": _say(broker, "unreachable"),
            "relay": _say(self._relay_alive(), "stalled"),
        }
        if self.intake_stop.is_set():
            results["service"] = "stopping"
        if self.dispatcher is not None:
            results["dispatcher"] = _say(self.dispatcher.alive, "stalled")
        for consumer in self.consumers:
            results[f"consumer:{consumer.subscription.name}"] = consumer.trouble or "ok"
        return results

    def _relay_alive(self) -> bool:
        last = self.relay.last_pass_at
        allowed = 5.0 + 4 * self._service.settings.outbox_poll_seconds
        return last is not None and asyncio.get_running_loop().time() - last < allowed

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.database.command("ping")
        except (PyMongoError, TimeoutError):
            return False
        return True

    def _lease_lost(self) -> None:
        self.relay.lease_lost()
        self.producer.abort()

    async def _prepare_database(self) -> None:
        indexes = [*inbox.INDEXES, *orphans.INDEXES, *audit.INDEXES, *self._service.indexes]
        if self.delivery_store is not None:
            indexes += self.delivery_store.INDEXES
        await self.sessions.reap()
        await ensure_indexes(self.database, indexes)

    async def _until_database(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Prepare as often as it takes for the database to be there."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await prepare()
            except PyMongoError as error:
                log.warning("database_not_ready", attempt=attempt, error=type(error).__name__)
                if await wait_or_stop(self.intake_stop, _UNTIL_DATABASE.delay(attempt)):
                    raise
            else:
                return

    async def _watch(self, tls: KafkaTls) -> None:
        """Take renewed Kafka certificates into use without a restart."""
        while not await wait_or_stop(self._lease_stop, TLS_LOOK_SECONDS):
            tls.refresh()

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks[name] = asyncio.create_task(_keep_alive(name, work))

    async def _finish(self, name: str, seconds: float) -> None:
        """Wait for a task that was told to stop; cancel it when it takes too long."""
        task = self._tasks.pop(name, None)
        if task is None:
            return
        _, pending = await asyncio.wait({task}, timeout=seconds)
        if pending:
            log.warning("task_cut", task=name)
            task.cancel()
            await asyncio.wait({task})


async def _keep_alive(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run until it returns; an unexpected failure is logged by its type and the work begins again."""
    attempt = 0
    while True:
        attempt += 1
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a bug in one pass must not end the relay or the dispatcher
            log.error("task_failed", task=name, attempt=attempt, error=type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(_RESTART.delay(attempt))
        else:
            return


def _say(good: bool, code: str) -> str:
    return "ok" if good else code


def _nobody_waits() -> None:
    """No dispatcher in this process: others find the delivery by polling."""
