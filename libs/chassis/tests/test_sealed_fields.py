"""A sealed field that nobody will ever open is put aside; one whose key is not here yet is waited for."""

from __future__ import annotations

import base64
import json
import os
import uuid
from pathlib import Path
from typing import Any, ClassVar

import pytest
from navette_chassis import Received, UnitOfWork
from navette_chassis import consumers as consumers_module
from navette_chassis.backoff import Backoff
from navette_chassis.testing import is_ready, running, until
from navette_contracts.events import Event
from navette_contracts.sealed import Keyring, Sealed
from structlog.testing import capture_logs

CANARY = "CANARI-DUPONT"


def keys(*kids: str) -> str:
    entries = [{"kty": "oct", "kid": one, "k": _secret(one), "alg": "A256GCM"} for one in kids]
    return json.dumps({"current": kids[-1], "keys": entries})


def _secret(kid: str) -> str:
    return base64.urlsafe_b64encode(kid.encode().ljust(32, b".")).decode().rstrip("=")


def sealed(text: Any, kid: str = "here") -> Sealed[Any]:
    return Sealed[Any].seal(text, Keyring.from_json(keys(kid)))


def altered(seal: Sealed[Any]) -> Sealed[Any]:
    """The same with one bit of the content flipped on its way."""
    parts = seal.token.split(".")
    parts[3] = ("A" if parts[3][0] != "A" else "B") + parts[3][1:]
    return Sealed[Any](".".join(parts))


@pytest.fixture
def confided(world: Any) -> Any:
    """An event with a sealed field, as the topic of the world."""

    class Confided(Event):
        type: ClassVar[str] = f"test{uuid.uuid4().hex[:8]}.confided.v1"
        key_field: ClassVar[str] = "thing_id"

        thing_id: str
        number: int
        note: Sealed[str] | None = None

    world.broker.create_topics([Confided.topic(), f"{Confided.topic()}.dlq"], partitions=3)
    world.event = Confided
    return Confided


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    path.write_text(keys("here"), "utf-8")
    return path


def message(world: Any, confided: Any, number: int, note: Sealed[Any] | None) -> Any:
    headers, _ = world.message("k", number)
    return headers, confided(thing_id="k", number=number, note=note).model_dump_json().encode()


async def test_a_field_altered_in_flight_is_put_aside_and_the_next_message_goes_on(
    world: Any, confided: Any, keyring: Path
) -> None:
    """Even by a handler that does not open it: what is kept sealed would fail later, in somebody else's hands."""
    service = world.service(keyring=keyring)
    seen: list[int] = []

    @service.on(confided)
    async def keep(received: Received[Any], uow: UnitOfWork) -> None:
        seen.append(received.event.number)

    bad = [altered(sealed(CANARY)), sealed({"not": "a text"})]
    with capture_logs() as lines:
        async with running(service):
            for number, note in enumerate(bad):
                await world.send(message(world, confided, number, note))
            await world.send(message(world, confided, 8, None), message(world, confided, 9, sealed("fine")))
            await until(lambda: seen == [8, 9])
            letters = await world.read(f"{confided.topic()}.dlq", 2)
            assert await is_ready(service)
    assert {dict(one.headers)["dlq_reason"] for one in letters} == {b"sealed_field"}
    assert [one["reason"] for one in lines if one["event"] == "message_dead_lettered"] == ["sealed_field"] * 2
    assert CANARY not in repr(lines) + repr([one.headers for one in letters])


async def test_a_field_under_a_key_that_is_not_here_yet_waits_for_the_key(
    world: Any, confided: Any, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers_module, "_RETRY", Backoff(first=0.02, cap=0.1))
    service = world.service(keyring=keyring)
    tried: list[int] = []
    opened: list[str] = []

    @service.on(confided)
    async def read(received: Received[Any], uow: UnitOfWork) -> None:
        tried.append(received.event.number)
        opened.append(received.event.note.open(service.keyring, str))

    async with running(service):
        await world.send(message(world, confided, 1, sealed("later", "next")))
        await until(lambda: len(tried) >= 3)
        assert opened == []
        add_key(keyring)
        await until(lambda: opened == ["later"])
        await until(lambda: committed(world))


def add_key(keyring: Path) -> None:
    keyring.write_text(keys("here", "next"), "utf-8")
    os.utime(keyring, (1, 1))


async def committed(world: Any) -> bool:
    return bool(await world.committed("read") == 1)


async def test_a_service_that_needs_no_content_needs_no_key(world: Any, confided: Any) -> None:
    service = world.service()
    seen: list[int] = []

    @service.on(confided)
    async def pass_on(received: Received[Any], uow: UnitOfWork) -> None:
        seen.append(received.event.number)

    async with running(service):
        await world.send(message(world, confided, 1, sealed("of others", "theirs")))
        await until(lambda: seen == [1])
