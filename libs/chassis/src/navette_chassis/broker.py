"""FastStream on aiokafka, with every unsafe default closed in one place (engineering.md §2).

Offsets are committed after the work (``AckPolicy.ACK``), one message is in flight per consumer, new groups
start at the earliest message, topics are never created, FastStream sees bytes only and logs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.exceptions import NackMessage
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage
from faststream.message import AckStatus
from faststream.security import BaseSecurity

from navette_chassis.backoff import Backoff, wait_or_stop
from navette_chassis.consumers import Consumer, NotDoneError
from navette_chassis.producer import KafkaConnection
from navette_chassis.settings import ServiceSettings
from navette_chassis.telemetry import metrics

log = structlog.get_logger("navette.broker")

#: A handler may be waited upon for this long without leaving its group, milliseconds. Heartbeats go on in the
#: background, so a dead process is still noticed after ``kafka_session_seconds``.
POLL_INTERVAL_MS = 24 * 3600 * 1000
#: How long one request may take, milliseconds, on top of a session: a join waits for dead members.
REQUEST_MS = 5_000
#: How long an offset commit may still try once the service stops, seconds.
LAST_COMMIT_SECONDS = 2.0
#: Time between two measurements of the lag, seconds.
LAG_SECONDS = 5.0
#: How long leaving the groups may take once the handlers are done, seconds.
LEAVE_SECONDS = 5.0


class _Subscriber(Protocol):
    """What is used of a FastStream subscriber."""

    consumer: AIOKafkaConsumer | None

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


_REJOIN = Backoff(first=0.2, cap=5.0)


class _Message(KafkaAckableMessage):
    """Commits the offset of exactly this message, and takes a refusal as the routine that it is."""

    commit: Callable[[], Awaitable[None]]
    stopping: asyncio.Event

    async def ack(self) -> None:
        if self.committed:
            return
        commit = asyncio.ensure_future(self.commit())
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({commit, stop}, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await commit
        except (CommitFailedError, IllegalStateError, KafkaError, TimeoutError) as error:
            # A rebalance came between work and commit: whoever has the partition now finds the inbox row.
            log.warning("offset_not_committed", error=type(error).__name__)
        finally:
            stop.cancel()
            commit.cancel()
        self.committed = AckStatus.ACKED


def build_broker(
    settings: ServiceSettings, connection: KafkaConnection, consumers: Sequence[Consumer], stopping: asyncio.Event
) -> KafkaBroker:
    """A FastStream broker with one subscriber per consumer, not connected yet."""
    tls = connection.tls
    broker = KafkaBroker(
        connection.bootstrap,
        client_id=connection.client_id,
        security=BaseSecurity(ssl_context=tls.context, use_ssl=True) if tls is not None else None,
        ack_policy=AckPolicy.ACK,
        graceful_timeout=settings.graceful_stop_seconds,
        consumer_only=True,
        allow_auto_create_topics=False,
        request_timeout_ms=REQUEST_MS + int(settings.kafka_session_seconds * 1000),
        metadata_max_age_ms=30_000,
        apply_types=False,
        logger=None,
    )
    for consumer in consumers:
        _subscribe(broker, consumer, stopping, settings)
    return broker


def _subscribe(broker: KafkaBroker, consumer: Consumer, stopping: asyncio.Event, settings: ServiceSettings) -> None:
    session_ms = int(settings.kafka_session_seconds * 1000)

    async def parse(record: ConsumerRecord[Any, Any]) -> _Message:
        message = _Message(
            body=record.value or b"",
            headers={},
            raw_message=record,
            message_id=f"{record.partition}-{record.offset}",
            consumer=subscriber.consumer or FAKE_CONSUMER,
        )
        message.commit = lambda: commit_after(record)
        message.stopping = stopping
        return message

    async def commit_after(record: ConsumerRecord[Any, Any]) -> None:
        client = subscriber.consumer
        if client is not None:
            await client.commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    async def decode(message: _Message) -> Any:
        return message.raw_message

    async def handle(record: ConsumerRecord[Any, Any]) -> None:
        try:
            await consumer.consume(record)
        except NotDoneError:
            raise NackMessage from None

    subscriber = broker.subscriber(
        consumer.subscription.topic,
        group_id=consumer.subscription.group,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 4,
        max_poll_interval_ms=POLL_INTERVAL_MS,
        parser=parse,
        decoder=decode,
        no_reply=True,
    )
    subscriber(handle)


class ConsumerGroups:
    """The consumers of one process: joins their groups, again as often as it takes, and leaves them in order."""

    def __init__(
        self,
        settings: ServiceSettings,
        connection: KafkaConnection,
        consumers: Sequence[Consumer],
        stopping: asyncio.Event,
    ) -> None:
        self._consumers = consumers
        self._stopping = stopping
        self._grace = settings.graceful_stop_seconds
        self._broker = build_broker(settings, connection, consumers, stopping)
        self._joins: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to join; returns at once, ``Consumer.joined`` tells when it is done."""
        await self._broker.connect()
        for consumer, subscriber in zip(self._consumers, self._broker.subscribers, strict=True):
            self._joins.append(asyncio.create_task(self._join(consumer, cast("_Subscriber", subscriber))))

    async def _join(self, consumer: Consumer, subscriber: _Subscriber) -> None:
        attempt = 0
        while not self._stopping.is_set():
            attempt += 1
            try:
                await subscriber.start()
            except (KafkaError, OSError) as error:
                log.warning("consumer_not_joined", consumer=consumer.subscription.name, error=type(error).__name__)
                await _quietly(subscriber.stop)
                await wait_or_stop(self._stopping, _REJOIN.delay(attempt))
            else:
                consumer.joined = True
                await self._measure_lag(consumer, subscriber)
                return

    async def _measure_lag(self, consumer: Consumer, subscriber: _Subscriber) -> None:
        """Publish how many messages wait behind the one in hand, until the service stops."""
        subscription = consumer.subscription
        while not await wait_or_stop(self._stopping, LAG_SECONDS):
            lag = await _lag(subscriber.consumer) if subscriber.consumer is not None else None
            if lag is not None:
                metrics().set("navette_consumer_lag", lag, consumer=subscription.name, topic=subscription.topic)

    async def stop(self) -> None:
        """Let each handler finish, commit its offset, leave the groups; bounded whatever the broker does."""
        for join in self._joins:
            join.cancel()
        await asyncio.gather(*self._joins, return_exceptions=True)
        try:
            async with asyncio.timeout(self._grace + LEAVE_SECONDS):
                await _quietly(self._broker.stop)
        except TimeoutError:
            log.warning("consumers_left_behind")
        for consumer in self._consumers:
            consumer.joined = False


async def _lag(client: AIOKafkaConsumer) -> int | None:
    """Messages behind the ends of the assigned partitions, from what the last fetches said; None if unknown."""
    total = 0
    for partition in client.assignment():
        end = client.highwater(partition)
        if end is None:
            continue
        try:
            async with asyncio.timeout(1.0):
                total += max(0, end - await client.position(partition))
        except (KafkaError, IllegalStateError, TimeoutError):
            return None  # in the middle of a rebalance: the next look tells
    return total


async def _quietly(stop: Callable[[], Awaitable[None]]) -> None:
    """Stop something of a broker that may be gone."""
    try:
        await stop()
    except (KafkaError, OSError, ExceptionGroup) as error:
        log.debug("stop_failed", error=type(error).__name__)
