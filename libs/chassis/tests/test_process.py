"""The process around a service, and what it tells of itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from navette_chassis import Mode, Received, ServiceSettings, UnitOfWork, run
from navette_chassis import broker as broker_module
from navette_chassis.telemetry import metrics
from navette_chassis.testing import running, until
from navette_sandbox.ports import free_port

SCRIPT = Path(__file__).with_name("crashing_service.py")


def never(_: ServiceSettings) -> Any:
    raise AssertionError("the service must not be built")


def test_an_unknown_mode_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(never, ServiceSettings, ["daemon"]) == 78
    assert capsys.readouterr().err == "usage: serve | api | worker\n"


def test_settings_that_are_missing_are_named_without_any_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAVETTE_MONGO_URI", "mongodb://user:hunter2@db")
    assert run(never, ServiceSettings, ["serve"]) == 78
    told = capsys.readouterr().err
    assert "NAVETTE_KAFKA_BOOTSTRAP" in told
    assert "hunter2" not in told


async def test_a_process_answers_probes_and_ends_in_order_at_sigterm(world: Any, tmp_path: Path) -> None:
    second = world.new_event()
    port = free_port()
    settings = world.settings()
    environment = {
        "PATH": os.environ["PATH"],
        "NAVETTE_ENVIRONMENT": "development",
        "NAVETTE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "NAVETTE_KAFKA_IDEMPOTENT": str(settings.kafka_idempotent),
        "NAVETTE_KAFKA_SESSION_SECONDS": "1",
        "NAVETTE_MONGO_URI": world.mongo.uri,
        "NAVETTE_MONGO_DATABASE": world.database_name,
        "NAVETTE_PSC_AUTH_URL": "http://127.0.0.1:1",
        "NAVETTE_HTTP_HOST": "127.0.0.1",
        "NAVETTE_HTTP_PORT": str(port),
        "CRASHING_NAME": world.name,
        "CRASHING_FAMILIES": f"{world.topic},{second.topic()}",
    }
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), "worker", env=environment, stdout=log, stderr=log
        )
    try:
        await until(lambda: asyncio.to_thread(status, port, "/readyz"), seconds=90)
        assert await asyncio.to_thread(status, port, "/livez")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await world.database["database_sessions"].count_documents({}) == 0


def status(port: int, path: str) -> bool:
    """Whether the process answers 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def test_the_process_measures_its_lag_and_says_which_relay_is_active(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "LAG_SECONDS", 0.05)
    service = world.service()
    seen: list[int] = []

    @service.on(world.event)
    async def measured(received: Received[Any], uow: UnitOfWork) -> None:
        seen.append(received.event.number)

    async with running(service):
        await world.send(world.message("k", 1))
        await until(lambda: seen)
        lag = f'navette_consumer_lag{{consumer="measured",topic="{world.topic}"}} 0'
        await until(lambda: lag in metrics().text())
        await until(lambda: "navette_relay_active 1" in metrics().text())
        await until(lambda: 'outcome="done"' in metrics().text())


async def test_an_api_process_publishes_but_consumes_nothing(world: Any) -> None:
    service = world.service()
    seen: list[int] = []

    @service.on(world.event)
    async def elsewhere(received: Received[Any], uow: UnitOfWork) -> None:
        seen.append(received.event.number)

    async with running(service, Mode.API):
        await service.transact(world.emit, "a", 1)
        assert len(await world.read(world.topic, 1)) == 1
        assert "consumer:elsewhere" not in await service.checks()
    assert seen == []


async def test_an_access_is_recorded_with_the_transaction_that_made_it(world: Any) -> None:
    service = world.service()
    world.broker.create_topics(["access.recorded"])

    async def look(uow: UnitOfWork) -> None:
        await uow.record_access("user-1", "report.read", "report", "r-1", "site-1", "granted")

    async with running(service):
        await service.transact(look)
        records = await world.read("access.recorded", 1)
    assert records[-1].key == b"user-1"
    assert b'"outcome":"granted"' in records[-1].value
