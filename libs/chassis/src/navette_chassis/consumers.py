"""One message, from its bytes to a committed unit of work, or to the dead letters; never lost in between.

A failure that may pass (database gone, write conflicts, an unexpected exception) is tried again in place: the
offset stays where it is, the group membership is kept alive by the client in the background. Only what nobody
could ever handle goes to the dead letters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn, Protocol

import structlog
from navette_contracts.events import Event
from navette_contracts.sealed import Keyring
from opentelemetry.trace import SpanKind
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError

from navette_chassis import inbox
from navette_chassis.backoff import Backoff, wait_or_stop
from navette_chassis.clock import Clock
from navette_chassis.database import is_transient
from navette_chassis.decoder import OtherVersionError, PoisonError, decode_message, refuse_altered
from navette_chassis.dlq import DeadLetter, PoisonLimit, publish_dead_letter
from navette_chassis.inbox import AlreadyHandledError, Handled
from navette_chassis.origin import Origin, originating_from
from navette_chassis.producer import PublishError
from navette_chassis.received import Received
from navette_chassis.relay import Publisher
from navette_chassis.steps import Step, reached
from navette_chassis.subscription import Subscription
from navette_chassis.telemetry import metrics, span
from navette_chassis.transactions import Transactions
from navette_chassis.unit_of_work import UnitOfWork

log = structlog.get_logger("navette.consumer")

#: How long one attempt of a handler may take, seconds: well under MongoDB's transaction limit of 60 s.
HANDLER_SECONDS = 30.0
#: How long one attempt retries its transaction before the message is waited upon, seconds.
TRANSACTION_SECONDS = 5.0
#: Unexpected failures of the same message after which the consumer says that it needs help.
MAX_FAILURES = 5

_RETRY = Backoff(first=0.1, cap=10.0)
_FAILING = Backoff(first=30.0, cap=60.0)


class NotDoneError(Exception):
    """The service stops and the message is not handled: its offset must not be committed."""


class Record(Protocol):
    """A Kafka record as the client gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Consumer:
    """Handles the messages of one subscription, one at a time."""

    def __init__(
        self,
        subscription: Subscription,
        transactions: Transactions,
        publisher: Publisher,
        clock: Clock,
        stopping: asyncio.Event,
        keyring: Callable[[], Keyring] | None = None,
    ) -> None:
        self.subscription = subscription
        self._keyring = keyring
        self._transactions = transactions
        self._publisher = publisher
        self._clock = clock
        self._stopping = stopping
        self._limit = PoisonLimit()
        self.joined = False
        """Whether the client is a member of its consumer group."""
        self.halted = False
        """Stopped for good: too much of what comes cannot be decoded, so this consumer is suspected."""
        self.failing = False
        """The present message made the handler fail again and again; it is retried slowly."""
        self.retrying_since: datetime | None = None
        """Since when the present message is being retried."""

    @property
    def trouble(self) -> str | None:
        """Why the consumer is not ready, as a code; None when it is."""
        if self.halted:
            return "halted"
        if self.failing:
            return "failing"
        return None if self.joined else "not_joined"

    async def consume(self, record: Record) -> None:
        """Return when the offset may be committed. Raises ``NotDoneError`` when the service stops first.

        Nothing else leaves here: FastStream acknowledges the message of any other exception. What nobody foresaw
        halts the consumer before its message, for somebody to look.
        """
        try:
            await self._consume(record)
        except NotDoneError:
            raise
        except Exception as error:  # noqa: BLE001 - see above: acknowledged is lost
            log.error("consumer_halted", consumer=self.subscription.name, reason=type(error).__name__)  # noqa: TRY400
            await self._halt()

    async def _consume(self, record: Record) -> None:
        subscription = self.subscription
        try:
            received, traceparent = decode_message(record, subscription.event_class, ordered=subscription.ordered)
            if self._keyring is not None:
                refuse_altered(received.event, self._keyring)
        except OtherVersionError:
            self._limit.note(poison=False)
            self._count("other_version")
        except PoisonError as poison:
            await self._bury(record, poison)
        else:
            self._limit.note(poison=False)
            attributes = {
                "messaging.system": "kafka",
                "messaging.destination.name": record.topic,
                "messaging.consumer.group.name": subscription.group,
                "navette.event_id": received.id,
            }
            name = f"{subscription.name} process"
            with span(name, SpanKind.CONSUMER, traceparent=traceparent, attributes=attributes):
                await self._handle(received)

    async def _handle(self, received: Received[Event]) -> None:
        attempt = failures = 0
        begun = asyncio.get_running_loop().time()
        while True:
            attempt += 1
            try:
                handled = await self._attempt(received)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises must not lose its message
                failures += not may_pass(error)
                await self._wait_after(error, received, attempt, failures)
            else:
                self.failing, self.retrying_since = False, None
                seconds = asyncio.get_running_loop().time() - begun
                metrics().record("navette_consumer_seconds", seconds, consumer=self.subscription.name)
                self._count(handled.value)
                return

    def _count(self, outcome: str) -> None:
        metrics().count("navette_consumer_messages", consumer=self.subscription.name, outcome=outcome)

    async def _attempt(self, received: Received[Event]) -> Handled:
        name, handler = self.subscription.name, self.subscription.handler

        async def use_case(uow: UnitOfWork) -> Handled:
            await inbox.register(uow, name, received.id)
            if await self._is_superseded(uow, received):
                await inbox.mark_superseded(uow, name, received.id)
                return Handled.SUPERSEDED
            await handler(received, uow)
            return Handled.DONE

        origin = Origin(correlation_id=received.correlation_id, causation_id=received.id)
        try:
            with originating_from(origin):
                async with asyncio.timeout(HANDLER_SECONDS):
                    return await self._transactions.run(use_case, origin, retry_seconds=TRANSACTION_SECONDS)
        except AlreadyHandledError:
            return Handled.DUPLICATE

    async def _is_superseded(self, uow: UnitOfWork, received: Received[Any]) -> bool:
        if not self.subscription.ordered or received.sequence is None:
            return False
        return await inbox.is_superseded(uow, received.subject, received.sequence)

    async def _wait_after(self, error: Exception, received: Received[Any], attempt: int, failures: int) -> None:
        self.retrying_since = self.retrying_since or self._clock.now()
        self._count("retried")
        if failures >= MAX_FAILURES:
            self.failing = True
        log.warning(
            "message_retried",
            consumer=self.subscription.name,
            event_id=received.id,
            attempt=attempt,
            error=type(error).__name__,
        )
        delay = _FAILING.delay(1) if self.failing else _RETRY.delay(attempt)
        if await wait_or_stop(self._stopping, delay):
            raise NotDoneError

    async def _bury(self, record: Record, poison: PoisonError) -> None:
        """Write the dead letter, as often as it takes; halt instead when there are too many."""
        self._limit.note(poison=True)
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        if self._limit.exceeded:
            log.error("consumer_halted", consumer=self.subscription.name, reason=poison.reason.value, **where)
            await self._halt()
        log.warning("message_dead_lettered", consumer=self.subscription.name, reason=poison.reason.value, **where)
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=record.headers,
            reason=poison.reason,
            group=self.subscription.group,
            first_seen=self._clock.now(),
            trace_id=_trace_id(record.headers),
        )
        attempt = 0
        while True:
            attempt += 1
            try:
                await publish_dead_letter(self._publisher, letter)
            except PublishError as error:
                log.warning("dead_letter_retried", topic=letter.target, attempt=attempt, code=error.code)
                if await wait_or_stop(self._stopping, _RETRY.delay(attempt)):
                    raise NotDoneError from None
            else:
                reached(Step.BEFORE_DEAD_LETTER_OFFSET)
                metrics().count("navette_dead_letters", consumer=self.subscription.name, reason=poison.reason.value)
                return

    async def _halt(self) -> NoReturn:
        self.halted = True
        metrics().set("navette_consumer_stopped", 1, consumer=self.subscription.name)
        await self._stopping.wait()
        raise NotDoneError


def may_pass(error: Exception) -> bool:
    """Whether a failure is one of the surroundings (database gone, conflicts) and not of the handler."""
    return isinstance(error, ConnectionFailure | ExecutionTimeout) or (
        isinstance(error, PyMongoError)
        and (is_transient(error) or error.has_error_label("UnknownTransactionCommitResult"))
    )


def _trace_id(headers: Sequence[tuple[str, bytes]]) -> str:
    """Trace id of the message, 32 hexadecimal digits, or empty when it has none."""
    parts = dict(headers).get("traceparent", b"").split(b"-")
    is_one = len(parts) == 4 and len(parts[1]) == 32 and set(parts[1]) <= set(b"0123456789abcdef")
    return parts[1].decode("ascii") if is_one else ""
