"""A small service for the messaging tests: one event of its own topic per test, so that tests share a broker."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from navette_chassis import Service, ServiceSettings, UnitOfWork, uuid7
from navette_chassis.producer import KafkaConnection, Producer
from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import Event
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.embedded.tansu import TansuBroker
from navette_sandbox.ports import HOST, free_port, is_listening
from pymongo import AsyncMongoClient


def make_event(family: str) -> type[Event]:
    """An event class with a topic of its own."""

    class Happened(Event):
        type: ClassVar[str] = f"{family}.v1"
        key_field: ClassVar[str] = "thing_id"

        thing_id: str
        number: int

    return Happened


@dataclass
class World:
    """Broker, database and topic of one test, seen from outside the service as well."""

    broker: EmbeddedBroker
    mongo: MongoServer
    database_name: str
    event: Any
    database: Any
    name: str = field(default_factory=lambda: f"svc{uuid.uuid4().hex[:8]}")

    @property
    def topic(self) -> str:
        return str(self.event.topic())

    def settings(self, **changes: Any) -> ServiceSettings:
        values: dict[str, Any] = {
            "environment": "development",
            "kafka_bootstrap": self.broker.bootstrap,
            "kafka_idempotent": self.broker.idempotent,
            "kafka_session_seconds": 6.0 if self.broker.kind == "kafka" else 3.0,
            "kafka_fetch_wait_ms": 10,
            "mongo_uri": self.mongo.uri,
            "mongo_database": self.database_name,
            "psc_auth_url": "http://127.0.0.1:1",
            "lease_ttl_seconds": 1.0,
            "outbox_poll_seconds": 0.2,
            "graceful_stop_seconds": 5.0,
        }
        return ServiceSettings.model_validate(values | changes)

    def producer(self, **changes: Any) -> Producer:
        settings = self.settings(**changes)
        return Producer(KafkaConnection.of(settings), idempotent=settings.kafka_idempotent)

    def service(self, **changes: Any) -> Service:
        return Service(self.settings(**changes), name=self.name)

    def new_event(self, family: str = "other") -> Any:
        """Another event, with a topic of its own that exists."""
        event = make_event(f"test{uuid.uuid4().hex[:8]}.{family}")
        self.broker.create_topics([event.topic(), f"{event.topic()}.dlq"], partitions=3)
        return event

    async def emit(self, uow: UnitOfWork, key: str, *numbers: int, event: Any = None) -> None:
        """A use case: emit one event per number."""
        for number in numbers:
            happened = (event or self.event)(thing_id=key, number=number)
            await uow.emit(happened, subject=key, sequence=number)

    def message(self, key: str, number: int, **envelope: Any) -> tuple[list[tuple[str, bytes]], bytes]:
        """Headers and value of one event, as another service would send it."""
        values: dict[str, Any] = {
            "id": uuid7(),
            "type": self.event.type,
            "source": "/navette/other",
            "time": datetime.now(UTC),
            "subject": key,
            "sequence": number,
            "correlation_id": f"c-{key}",
        }
        body = self.event(thing_id=key, number=number).model_dump_json().encode()
        return encode(Envelope(**(values | envelope)), body)

    async def send(self, *messages: tuple[list[tuple[str, bytes]], bytes | None], key: str = "k") -> None:
        """Put raw messages on the topic, in order, on the partition of the key."""
        async with AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all") as producer:
            for headers, value in messages:
                await producer.send_and_wait(self.topic, value=value, key=key.encode(), headers=headers)

    async def read(self, topic: str, count: int) -> list[Any]:
        """The first ``count`` records of a topic."""
        found: list[Any] = []
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=self.broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
        ) as consumer:
            async with asyncio.timeout(60):
                while len(found) < count:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += records
        return found

    async def committed(self, handler: str) -> int:
        """Messages of the topic that the group of a handler has committed, over all partitions."""
        group = f"navette-{self.name}.{handler}"
        consumer = AIOKafkaConsumer(bootstrap_servers=self.broker.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            await consumer._client.force_metadata_update()
            partitions = [TopicPartition(self.topic, number) for number in range(3)]
            offsets = [await consumer.committed(partition) for partition in partitions]
            return sum(offset or 0 for offset in offsets)
        finally:
            await consumer.stop()


@pytest.fixture
async def world(kafka_broker: EmbeddedBroker, mongo_server: MongoServer, mongo_database: str) -> AsyncIterator[World]:
    event = make_event(f"test{uuid.uuid4().hex[:8]}.happened")
    kafka_broker.create_topics([event.topic(), f"{event.topic()}.dlq"], partitions=3)
    async with AsyncMongoClient[dict[str, Any]](mongo_server.uri, tz_aware=True) as client:
        yield World(kafka_broker, mongo_server, mongo_database, event, client[mongo_database])


class Gate:
    """A TCP door in front of a server; while it is shut, connections are cut and new ones refused."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        await asyncio.gather(pump(reader, back), pump(there, writer))
        for one in (writer, back):
            one.transport.abort()
            self._writers.discard(one)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()


class GatedBroker(TansuBroker):
    """A broker whose clients all come through a gate: shut it, and the broker is gone without forgetting."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.gate = Gate(free_port(), self.port)
        self.bootstrap = f"{HOST}:{self.gate.port}"
        command = [
            part.replace(f":{self.port}", f":{self.gate.port}") if before == "--advertised-listener-url" else part
            for before, part in pairwise(["", *self.child._command])
        ]
        self.child._command = tuple(command)
        self.child._ready = lambda: is_listening(self.port)


@pytest.fixture
async def frail_world(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose broker and database belong to the test alone, to be cut off and killed."""
    broker, mongo = GatedBroker(tmp_path), MongoServer(tmp_path / "mongo")
    broker.start()
    mongo.start()
    await broker.gate.open()
    event = make_event("frail.happened")
    try:
        await asyncio.to_thread(broker.create_topics, [event.topic(), f"{event.topic()}.dlq"], 3)
        async with AsyncMongoClient[dict[str, Any]](mongo.uri, tz_aware=True) as client:
            yield World(broker, mongo, "frail", event, client["frail"])
    finally:
        await broker.gate.shut()
        broker.stop()
        mongo.stop()
