"""The Kafka producer: every wait is bounded, and a producer that hangs is left behind.

An idempotent aiokafka producer never expires a batch: with the broker gone, both ``send`` and ``stop`` wait for
ever (engineering.md §2). Here each is under a timeout of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from navette_chassis.settings import ServiceSettings
from navette_chassis.tls import FileWatch, TlsFiles

log = structlog.get_logger("navette.producer")

#: How long one publication may wait for the broker's acknowledgement, seconds.
PUBLISH_SECONDS = 10.0
#: How long connecting and stopping may take, seconds.
CONNECT_SECONDS = 10.0
STOP_SECONDS = 3.0


class PublishError(Exception):
    """The broker did not acknowledge; carries a code, never what was to be published."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class KafkaTls:
    """The one TLS context of this process towards Kafka; new connections use renewed files."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._watch = FileWatch(files.paths)
        self.context = files.client_context()

    def refresh(self) -> bool:
        """Load the files if they changed; True if they did. An unusable pair keeps the old one in use."""
        if not self._watch.changed():
            return False
        try:
            self._files.client_context()  # authorities and pair must be usable before the live context takes them
            if self._files.ca is not None:
                self.context.load_verify_locations(self._files.ca)
            if self._files.cert is not None:
                self.context.load_cert_chain(self._files.cert, self._files.key)
        except OSError:
            if self._watch.refuse():
                log.warning("tls.reload_failed", certificate=self._files.name)
            return False
        self._watch.accept()
        log.info("tls.reloaded", certificate=self._files.name)
        return True


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """How every Kafka client of this process connects: mutual TLS as soon as a CA is configured."""

    bootstrap: str
    client_id: str
    tls: KafkaTls | None

    @classmethod
    def of(cls, settings: ServiceSettings) -> KafkaConnection:
        """Read the settings and the PEM files; ``OSError`` when these are unusable."""
        tls = None
        if settings.kafka_ca is not None:
            tls = KafkaTls(TlsFiles("kafka", settings.kafka_ca, settings.kafka_cert, settings.kafka_key))
        return cls(settings.kafka_bootstrap, f"navette-{settings.service_name}", tls)

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of an aiokafka client."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "client_id": self.client_id}
        if self.tls is not None:
            arguments |= {"security_protocol": "SSL", "ssl_context": self.tls.context}
        return arguments


class Producer:
    """Publishes raw messages; connects when first used and again after a failure."""

    def __init__(self, connection: KafkaConnection, *, idempotent: bool) -> None:
        self._connection_arguments = connection.arguments
        self._idempotent = idempotent
        self._publish_seconds = PUBLISH_SECONDS
        self._kafka: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._abandoned: set[asyncio.Task[None]] = set()

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """Return once the broker acknowledged (all in-sync replicas); ``PublishError`` otherwise.

        After a failure the message may or may not have arrived: publish it again, consumers know its id.
        """
        producer = None
        try:
            async with asyncio.timeout(self._publish_seconds):
                producer = await self._connection()
                future = await producer.send(topic, value=value, key=key, headers=list(headers))
                await future
        except TimeoutError:
            # The batch stays in an idempotent producer for ever: leave that producer with what it holds.
            self._abandon(producer)
            raise PublishError("timeout") from None
        except KafkaError as error:
            if not error.retriable:
                log.warning("publish_refused", topic=topic, error=type(error).__name__)
            if _is_fatal(error):
                self._abandon(producer)
            raise PublishError(type(error).__name__) from None

    async def answers(self, seconds: float) -> bool:
        """Whether the broker answers a metadata request within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                producer = await self._connection()
                return bool(await producer.client.force_metadata_update())
        except (KafkaError, OSError, TimeoutError):
            return False

    async def _connection(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._kafka is None:
                producer = AIOKafkaProducer(
                    **self._connection_arguments,
                    acks="all",
                    enable_idempotence=self._idempotent,
                    # Half, so that a single unknown topic fails by itself before the whole producer is suspected.
                    request_timeout_ms=int(self._publish_seconds * 500),
                    retry_backoff_ms=100,
                    metadata_max_age_ms=30_000,
                    linger_ms=0,
                )
                try:
                    await producer.start()
                except BaseException:
                    self._stop_later(producer)
                    raise
                self._kafka = producer
            return self._kafka

    def _abandon(self, producer: AIOKafkaProducer | None) -> None:
        if producer is None or producer is not self._kafka:
            return
        self._kafka = None
        self._stop_later(producer)

    def _stop_later(self, producer: AIOKafkaProducer) -> None:
        """Stop in the background: whoever waits for an answer need not wait for this."""
        task = asyncio.create_task(_stop_quietly(producer))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    def abort(self) -> None:
        """Give up what is queued and not sent yet: its publishers get ``PublishError``."""
        if self._kafka is not None:
            self._kafka._message_accumulator.fail_all(KafkaTimeoutError())
            self._abandon(self._kafka)

    async def stop(self) -> None:
        """Stop within ``STOP_SECONDS``, whatever the broker does; ``publish`` connects again."""
        producer, self._kafka = self._kafka, None
        if producer is not None:
            await _stop_quietly(producer)
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=STOP_SECONDS)


def _is_fatal(error: KafkaError) -> bool:
    """Errors after which an idempotent producer cannot go on with its sequence numbers."""
    return type(error).__name__ in {
        "OutOfOrderSequenceNumber",
        "InvalidProducerEpoch",
        "ProducerFenced",
        "UnknownProducerId",
        "ProducerClosed",
    }


async def _stop_quietly(producer: AIOKafkaProducer) -> None:
    """Stop under a timeout: in order if the broker answers, else by failing what is still queued."""
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if not done:
        # aiokafka has no other way to give up a batch of an idempotent producer.
        producer._message_accumulator.fail_all(KafkaTimeoutError())
        done, _ = await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if not done:
        stopping.cancel()
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if stopping.done() and not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.warning("producer_stop_failed", error=type(error).__name__)
