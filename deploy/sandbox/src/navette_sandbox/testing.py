"""Pytest plugin: one embedded broker and one database per session, and a PKI.

`NAVETTE_TEST_BROKER` chooses the broker: `tansu`, `kafka`, or `auto` (the default), which is Tansu
here because it starts in a tenth of a second.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from navette_sandbox.embedded import kafka
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.kafka import KafkaBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.embedded.tansu import TansuBroker
from navette_sandbox.pki import Pki, create_pki


def broker_for_tests(directory: Path) -> Iterator[EmbeddedBroker]:
    """A running broker of the kind that `NAVETTE_TEST_BROKER` chooses; skips with the reason where it cannot run.

    A test file whose service handles what other services promise declares a `kafka_broker` of its own with it:
    on the broker of the session it would read what their tests promised, sealed with other keys.
    """
    broker: EmbeddedBroker
    if os.environ.get("NAVETTE_TEST_BROKER", "auto") == "kafka":
        reason = kafka.unavailable_reason()
        if reason is not None:
            pytest.skip(reason)
        broker = KafkaBroker(directory)
    else:
        broker = TansuBroker(directory)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The broker of the session: `.bootstrap`, `.kind`, `.idempotent`, `.stop()`, `.start()`, `.create_topics()`."""
    yield from broker_for_tests(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Apache Kafka whatever `NAVETTE_TEST_BROKER` says; skips with the reason where it cannot run."""
    reason = kafka.unavailable_reason()
    if reason is not None:
        pytest.skip(reason)
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """The database server of the session: `.uri`, `.kill()`, `.stop()`, `.start()`."""
    server = MongoServer(tmp_path_factory.mktemp("mongo"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mongo_database(mongo_server: MongoServer) -> Iterator[str]:
    """Name of a fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    if mongo_server.child.running:
        options: dict[str, Any] = {"serverSelectionTimeoutMS": 5000, "socketTimeoutMS": 5000}
        # A process killed in mid-transaction keeps its locks for a minute; the server goes at the end of the session.
        with MongoClient[dict[str, object]](mongo_server.uri, **options) as client, suppress(PyMongoError):
            client.drop_database(name)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A fresh PKI directory with every certificate of the sandbox."""
    return create_pki(Path(tmp_path_factory.mktemp("pki")))
