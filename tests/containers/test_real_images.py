"""What must hold on the real images of MongoDB and Apache Kafka: transactions, consumer groups, producing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from typing import ClassVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from navette_chassis import Received, Service, ServiceSettings, UnitOfWork
from navette_chassis.testing import running, until
from navette_contracts.events import Event

pytestmark = pytest.mark.containers


class ThingHappened(Event):
    type: ClassVar[str] = "thing.happened.v1"
    key_field: ClassVar[str] = "thing_id"

    thing_id: str
    number: int


def engine_answers() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def images() -> Iterator[tuple[str, str]]:
    """Bootstrap address of Kafka and connection string of a MongoDB replica set."""
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    from testcontainers.kafka import KafkaContainer
    from testcontainers.mongodb import MongoDbContainer

    with KafkaContainer("apache/kafka:4.1.0") as kafka, MongoDbContainer("mongo:8.0", replicaset="navette") as mongo:
        yield kafka.get_bootstrap_server(), mongo.get_connection_url()


async def test_an_event_promised_with_its_state_is_handled_once_on_the_real_servers(images: tuple[str, str]) -> None:
    bootstrap, uri = images
    settings = ServiceSettings.model_validate(
        {
            "environment": "development",
            "kafka_bootstrap": bootstrap,
            "mongo_uri": uri,
            "mongo_database": f"test_{uuid.uuid4().hex[:8]}",
            "psc_auth_url": "http://127.0.0.1:1",
        }
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1) for name in ("thing.happened", "thing.happened.dlq")])
    await admin.close()
    service = Service(settings, name=f"svc{uuid.uuid4().hex[:6]}")

    @service.on(ThingHappened)
    async def count_thing(received: Received[ThingHappened], uow: UnitOfWork) -> None:
        await uow.collection("things").insert_one({"_id": received.event.number})

    async def promise(uow: UnitOfWork, number: int) -> None:
        await uow.collection("promised").insert_one({"_id": number})
        await uow.emit(ThingHappened(thing_id="t", number=number), subject="t", sequence=number)

    async with running(service):
        await asyncio.gather(*(service.transact(promise, number) for number in range(1, 21)))

        async def all_handled() -> bool:
            return await service.database["things"].count_documents({}) == 20

        await until(all_handled, seconds=60)
        assert await service.database["promised"].count_documents({}) == 20
