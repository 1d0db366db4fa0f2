"""The embedded broker and database: same port after a restart, data kept where promised, clear refusals."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from navette_sandbox.embedded import kafka
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.choice import make_broker
from navette_sandbox.embedded.kafka import KafkaBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.embedded.tansu import TansuBroker
from navette_sandbox.processes import SandboxError
from pymongo import AsyncMongoClient, MongoClient


async def _send(bootstrap: str, topic: str, value: bytes, *, idempotent: bool) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=idempotent)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, key=b"k", headers=[("ce_id", b"1")], partition=0)
    finally:
        await producer.stop()


async def _first(bootstrap: str, topic: str) -> tuple[bytes | None, tuple[tuple[str, bytes], ...]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0)])
        record = await consumer.getone()
        return record.value, tuple(record.headers)
    finally:
        await consumer.stop()


async def test_a_message_with_headers_goes_through_the_session_broker(kafka_broker: EmbeddedBroker) -> None:
    kafka_broker.create_topics(["sandbox.hello"], partitions=3)
    kafka_broker.create_topics(["sandbox.hello"], partitions=3)
    await _send(kafka_broker.bootstrap, "sandbox.hello", b"bonjour", idempotent=kafka_broker.idempotent)
    assert await _first(kafka_broker.bootstrap, "sandbox.hello") == (b"bonjour", (("ce_id", b"1"),))


async def test_tansu_comes_back_on_the_same_port_with_its_topics_but_no_messages(tmp_path: Path) -> None:
    broker = TansuBroker(tmp_path)
    broker.start()
    try:
        broker.create_topics(["sandbox.memory"])
        await _send(broker.bootstrap, "sandbox.memory", b"before", idempotent=False)
        broker.kill()
        assert not broker.answers()
        broker.start()
        await _send(broker.bootstrap, "sandbox.memory", b"after", idempotent=False)
        assert (await _first(broker.bootstrap, "sandbox.memory"))[0] == b"after"
    finally:
        broker.stop()


async def test_tansu_refuses_an_idempotent_producer_as_its_flag_says(tmp_path: Path) -> None:
    broker = TansuBroker(tmp_path)
    broker.start()
    try:
        assert not broker.idempotent
        broker.create_topics(["sandbox.plain"])
        with pytest.raises(KafkaError):
            await _send(broker.bootstrap, "sandbox.plain", b"x", idempotent=True)
    finally:
        broker.stop()


@pytest.mark.kafka
async def test_apache_kafka_keeps_messages_over_a_kill_and_accepts_an_idempotent_producer(
    apache_kafka: KafkaBroker,
) -> None:
    apache_kafka.create_topics(["sandbox.durable"], partitions=2)
    await _send(apache_kafka.bootstrap, "sandbox.durable", b"before", idempotent=True)
    apache_kafka.restart()
    assert (await _first(apache_kafka.bootstrap, "sandbox.durable"))[0] == b"before"
    apache_kafka.kill()
    apache_kafka.start()
    assert (await _first(apache_kafka.bootstrap, "sandbox.durable"))[0] == b"before"


@pytest.mark.kafka
def test_apache_kafka_starts_whatever_its_cluster_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = kafka.unavailable_reason()
    if reason is not None:
        pytest.skip(reason)
    hyphen_first = uuid.UUID(bytes=b"\xf8" + bytes(range(15)))
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: hyphen_first)
    broker = KafkaBroker(tmp_path / "kafka")
    broker.start()
    broker.stop()


@pytest.mark.parametrize(("java", "maven", "says"), [(False, True, "Java 17"), (True, False, "Maven")])
def test_a_missing_prerequisite_of_kafka_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java: bool, maven: bool, says: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, present in (("java", java), ("mvn", maven)):
        if present:
            program = programs / name
            program.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\nexit 0\n")
            program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("NAVETTE_SANDBOX_CACHE", str(tmp_path / "cache"))
    reason = kafka.unavailable_reason()
    assert reason is not None
    assert says in reason
    assert "\n" not in reason
    with pytest.raises(SandboxError, match=says):
        make_broker("kafka", tmp_path / "broker")


def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho 'java version \"1.8.0_292\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SandboxError, match="older"):
        kafka.java()


def test_a_registry_out_of_reach_is_one_clear_sentence_and_leaves_no_half_filled_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'Unknown host'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("NAVETTE_SANDBOX_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SandboxError, match="Maven cannot resolve Apache Kafka"):
        kafka.jars()
    left = {each.name for each in kafka.cache_directory().iterdir()}
    assert left == {"lock", "maven.log"}


def test_without_kafka_the_automatic_choice_is_tansu_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "unavailable_reason", lambda: "No `java` is on the PATH.")
    broker, sentence = make_broker("auto", tmp_path)
    assert broker.kind == "tansu"
    assert "No `java`" in sentence


async def test_transactions_of_the_database_roll_back(mongo_server: MongoServer, mongo_database: str) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(mongo_server.uri)
    try:
        collection = client[mongo_database]["things"]
        await collection.create_index("name", unique=True)
        async with client.start_session() as session:
            await session.start_transaction()
            await collection.insert_one({"name": "a"}, session=session)
            await session.abort_transaction()
        assert await collection.count_documents({}) == 0
    finally:
        await client.close()


def test_committed_data_survive_a_sigkill_of_the_database(tmp_path: Path) -> None:
    server = MongoServer(tmp_path)
    server.start()
    try:
        with MongoClient[dict[str, object]](server.uri) as client:
            client["db"]["things"].insert_one({"_id": 1})
            server.kill()
            server.start()
            assert client["db"]["things"].find_one({}) == {"_id": 1}
    finally:
        server.stop()
