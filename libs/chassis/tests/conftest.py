"""A small service for the messaging tests: one event of its own topic per test, so that tests share a broker."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from navette_contracts.events import Event
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from pymongo import AsyncMongoClient

from navette_chassis import Service, ServiceSettings


def event_class(family: str) -> type[Event]:
    """An event class with a topic of its own."""

    class Happened(Event):
        type: ClassVar[str] = f"{family}.v1"
        key_field: ClassVar[str] = "thing_id"

        thing_id: str
        number: int

    return Happened


@dataclass
class World:
    """Broker, database and topic of one test."""

    broker: EmbeddedBroker
    mongo: MongoServer
    database_name: str
    event: Any
    name: str = field(default_factory=lambda: f"svc{uuid.uuid4().hex[:8]}")

    @property
    def topic(self) -> str:
        return str(self.event.topic())

    def settings(self, **changes: Any) -> ServiceSettings:
        values: dict[str, Any] = {
            "environment": "development",
            "kafka_bootstrap": self.broker.bootstrap,
            "kafka_idempotent": self.broker.idempotent,
            "kafka_session_seconds": 2.0,
            "kafka_fetch_wait_ms": 10,
            "mongo_uri": self.mongo.uri,
            "mongo_database": self.database_name,
            "psc_auth_url": "http://127.0.0.1:1",
            "lease_ttl_seconds": 1.0,
            "outbox_poll_seconds": 0.2,
            "graceful_stop_seconds": 5.0,
        }
        return ServiceSettings.model_validate(values | changes)

    def service(self, **changes: Any) -> Service:
        return Service(self.settings(**changes), name=self.name)


@pytest.fixture
def world(kafka_broker: EmbeddedBroker, mongo_server: MongoServer, mongo_database: str) -> World:
    event = event_class(f"test{uuid.uuid4().hex[:8]}.happened")
    kafka_broker.create_topics([event.topic(), f"{event.topic()}.dlq"], partitions=3)
    return World(kafka_broker, mongo_server, mongo_database, event)


@pytest.fixture
async def collections(world: World) -> AsyncIterator[Any]:
    """The database of the test, seen from outside the service."""
    async with AsyncMongoClient[dict[str, Any]](world.mongo.uri, tz_aware=True) as client:
        yield client[world.database_name]
