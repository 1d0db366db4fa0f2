"""The traps of FastStream on Kafka (engineering.md §2), one test per row: each shows that ours does not have it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from faststream import AckPolicy
from navette_chassis import Received, Service, UnitOfWork
from navette_chassis import consumers as consumers_module
from navette_chassis import producer as producer_module
from navette_chassis.backoff import Backoff
from navette_chassis.broker import build_broker
from navette_chassis.producer import KafkaConnection, PublishError
from navette_chassis.telemetry import tracing
from navette_chassis.testing import running, until
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

CANARY = "CANARI-DUPONT-1850675056042"


class Gated:
    """A service whose handler waits at a gate and writes down what passed."""

    def __init__(self, world: Any, **changes: Any) -> None:
        self.service: Service = world.service(graceful_stop_seconds=30.0, **changes)
        self.gate = asyncio.Event()
        self.entered: list[int] = []
        self.passed: list[tuple[str, int]] = []
        self.together = 0
        self.most_together = 0
        self.service.on(world.event, name="gated")(self._handle)

    async def _handle(self, received: Received[Any], uow: UnitOfWork) -> None:
        self.entered.append(received.event.number)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        await self.gate.wait()
        self.together -= 1
        self.passed.append((received.subject, received.event.number))


@pytest.fixture
async def gated(world: Any) -> Gated:
    return Gated(world)


async def committed(world: Any, count: int) -> bool:
    return bool(await world.committed("gated") == count)


async def test_trap_ack_first_the_offset_is_not_committed_while_the_handler_works(world: Any, gated: Gated) -> None:
    async with running(gated.service):
        await world.send(world.message("k", 1))
        await until(lambda: gated.entered)
        await asyncio.sleep(0.3)
        assert await world.committed("gated") == 0
        client = gated.service.running.groups._broker.subscribers[0].consumer  # type: ignore[attr-defined]
        assert client._enable_auto_commit is False
        gated.gate.set()
        await until(lambda: committed(world, 1))


def test_trap_ack_first_is_not_the_policy_of_the_broker_nor_of_any_subscriber(gated: Gated) -> None:
    settings = gated.service.settings
    broker = build_broker(settings, KafkaConnection.of(settings), [], asyncio.Event())
    assert broker.config.broker_config.ack_policy is AckPolicy.ACK


async def test_trap_latest_a_new_group_reads_what_was_in_the_topic_before_it(world: Any, gated: Gated) -> None:
    await world.send(world.message("k", 1))
    gated.gate.set()
    async with running(gated.service):
        await until(lambda: gated.passed == [("k", 1)])


async def test_trap_position_commit_what_is_prefetched_is_not_committed_with_what_is_done(
    world: Any, gated: Gated
) -> None:
    """``ack`` of FastStream commits the consumer's position; with one message in flight it must equal its offset."""
    await world.send(*[world.message("k", number) for number in range(1, 6)])
    async with running(gated.service):
        await until(lambda: gated.entered == [1])
        gated.gate.set()
        await until(lambda: len(gated.passed) >= 2)
        gated.gate.clear()
        await until(lambda: gated.together == 1 or len(gated.passed) == 5)
        await until(lambda: committed(world, len(gated.passed)))
        gated.gate.set()
        await until(lambda: committed(world, 5))


async def test_trap_workers_one_message_is_in_flight_and_no_key_is_overtaken(world: Any, gated: Gated) -> None:
    gated.gate.set()
    sent = [(f"k{number % 7}", number) for number in range(200)]
    async with running(gated.service):
        for key in {key for key, _ in sent}:
            await world.send(*[world.message(key, number) for one, number in sent if one == key], key=key)
        await until(lambda: len(gated.passed) == 200, seconds=90)
    assert gated.most_together == 1
    for key in {key for key, _ in sent}:
        numbers = [number for one, number in gated.passed if one == key]
        assert numbers == sorted(numbers)


async def test_trap_workers_a_stop_waits_for_the_handler_and_commits_its_offset(world: Any, gated: Gated) -> None:
    await gated.service.start()
    await world.send(world.message("k", 1), world.message("k", 2))
    await until(lambda: gated.entered == [1])
    stopping = asyncio.create_task(gated.service.stop())
    await asyncio.sleep(0.2)
    assert not stopping.done()
    gated.gate.set()
    await stopping
    assert gated.passed == [("k", 1)]
    assert await world.committed("gated") == 1
    async with running(gated.service):
        await until(lambda: gated.passed == [("k", 1), ("k", 2)])
    assert gated.entered == [1, 2], "nothing is redelivered after an orderly stop"


async def test_trap_nack_a_failing_message_is_not_redelivered_in_a_loop(world: Any) -> None:
    service = world.service()
    tried_at: list[float] = []

    @service.on(world.event)
    async def fails(received: Received[Any], uow: UnitOfWork) -> None:
        tried_at.append(asyncio.get_running_loop().time())
        raise RuntimeError

    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: len(tried_at) >= 5)
    waits = [later - earlier for earlier, later in pairwise(tried_at[:5])]
    least = [0.05, 0.1, 0.2, 0.4]
    assert all(wait >= at_least for wait, at_least in zip(waits, least, strict=True)), "half of 0.1 s, doubled"


async def test_trap_invalid_payload_is_neither_lost_nor_looped_over(world: Any, gated: Gated) -> None:
    gated.gate.set()
    headers, _ = world.message("k", 1)
    async with running(gated.service):
        await world.send((headers, b'{"wrong": true}'), world.message("k", 2))
        await until(lambda: gated.passed == [("k", 2)])
        await until(lambda: committed(world, 2))
        letters = await world.read(f"{world.topic}.dlq", 1)
    assert [letter.value for letter in letters] == [b'{"wrong": true}']


async def test_trap_patient_data_in_logs_neither_a_bad_payload_nor_a_raising_handler_is_quoted(
    world: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers_module, "_RETRY", Backoff(first=0.01, cap=0.02))
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="faststream")
    service = world.service()
    attempts: list[int] = []

    @service.on(world.event)
    async def quotes(received: Received[Any], uow: UnitOfWork) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError(CANARY)

    headers, body = world.message("k", 1)
    with capture_logs() as lines:
        async with running(service):
            await world.send((headers, body.replace(b"1", f'"{CANARY}"'.encode())), world.message("k", 2))
            await until(lambda: len(attempts) == 3)
    printed = capsys.readouterr()
    for output in (caplog.text, repr(lines), printed.out, printed.err):
        assert CANARY not in output


async def test_trap_filter_a_record_nobody_asked_for_is_put_aside_and_not_printed(
    world: Any, gated: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="faststream")
    gated.gate.set()
    headers, _ = world.message("k", 1, type="somebody.else.v1")
    async with running(gated.service):
        await world.send((headers, CANARY.encode()), world.message("k", 2))
        await until(lambda: gated.passed == [("k", 2)])
        (letter,) = await world.read(f"{world.topic}.dlq", 1)
    assert dict(letter.headers)["dlq_reason"] == b"unexpected_type"
    assert CANARY not in caplog.text


async def test_trap_spans_hold_neither_the_key_nor_the_text_of_an_exception(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers_module, "_RETRY", Backoff(first=0.01, cap=0.02))
    exporter = InMemorySpanExporter()
    previous = tracing._Process.provider
    provider = tracing.configure("test", [SimpleSpanProcessor(tracing.AllowListExporter(exporter))])
    service = world.service()
    attempts: list[str] = []

    @service.on(world.event)
    async def quotes(received: Received[Any], uow: UnitOfWork) -> None:
        attempts.append(trace.format_trace_id(trace.get_current_span().get_span_context().trace_id))
        if len(attempts) < 2:
            raise ValueError(CANARY)

    try:
        async with running(service):
            traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            await world.send(world.message("secret-key", 1, traceparent=traceparent), key="secret-key")
            await until(lambda: len(attempts) == 2)
            await until(exporter.get_finished_spans)
        spans = exporter.get_finished_spans()
    finally:
        provider.shutdown()
        tracing._Process.provider = previous
    assert attempts[0] == "0af7651916cd43dd8448eb211c80319c", "the trace of the producer goes on"
    described = repr([(one.name, dict(one.attributes or {}), [e.attributes for e in one.events]) for one in spans])
    assert "secret-key" not in described
    assert CANARY not in described


def test_trap_try_it_out_no_route_publishes_to_the_broker_and_no_document_is_served(gated: Gated) -> None:
    paths = {getattr(route, "path", "") for route in gated.service.asgi.routes}
    assert not [path for path in paths if "asyncapi" in path or path.endswith("/try") or "docs" in path]


async def test_trap_transactional_id_the_producer_has_none(world: Any) -> None:
    producer = world.producer()
    await producer.publish(world.topic, b"k", b"v", [])
    manager = (await producer._connection())._txn_manager
    assert manager is None or manager.transactional_id is None
    await producer.stop()


async def test_trap_endless_batch_a_publication_to_nobody_ends_in_time(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that accepts and never answers; test_outages.py and test_kafka.py cut off real brokers."""
    monkeypatch.setattr(producer_module, "PUBLISH_SECONDS", 1.0)

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    producer = world.producer(kafka_bootstrap=f"127.0.0.1:{port}", kafka_idempotent=True)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(PublishError):
        await producer.publish("t", b"k", b"v", [])
    await producer.stop()
    assert loop.time() - began < 60.0, "bounded, where the library waits for ever"
    server.close()


async def test_trap_lifespan_a_service_without_broker_says_that_it_is_not_ready(world: Any) -> None:
    service = world.service(kafka_bootstrap="127.0.0.1:1")

    @service.on(world.event)
    async def handler(received: Received[Any], uow: UnitOfWork) -> None:
        """Never called."""

    await service.start()
    try:
        checks = await service.checks()
        assert (checks["broker"], checks["consumer:handler"]) == ("unreachable", "not_joined")
        assert (checks["service"], checks["database"]) == ("ok", "ok")
    finally:
        await service.stop()


def test_trap_auto_created_topics_the_broker_has_no_client_that_could_create_one(gated: Gated) -> None:
    """Topics are resources of the deployment; the brokers we ship switch automatic creation off as well."""
    settings = gated.service.settings
    config = build_broker(settings, KafkaConnection.of(settings), [], asyncio.Event()).config.broker_config
    assert config.allow_auto_create_topics is False
    assert config.consumer_only is True, "neither an admin client nor a second producer"


def test_trap_fastapi_plugin_is_not_even_imported() -> None:
    code = (
        "import sys, navette_chassis.lifecycle, navette_chassis.runner;"
        "print([name for name in sys.modules if name.startswith('faststream') and 'fastapi' in name])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


async def test_trap_idle_eviction_a_message_that_takes_long_does_not_cost_the_membership(world: Any) -> None:
    """While a message is waited upon for longer than a session, the group stays as it is (heartbeats go on)."""
    gated = Gated(world, kafka_session_seconds=6.0)  # a loaded machine may sleep through a session of a second
    async with running(gated.service):
        await world.send(world.message("k", 1), world.message("k", 2))
        await until(lambda: gated.entered == [1])
        client = gated.service.running.groups._broker.subscribers[0].consumer  # type: ignore[attr-defined]
        generation = client._coordinator.generation
        await asyncio.sleep(1.5 * gated.service.settings.kafka_session_seconds)
        gated.gate.set()
        await until(lambda: committed(world, 2))
        assert client._coordinator.generation == generation
    assert gated.entered == [1, 2]
