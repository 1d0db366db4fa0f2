"""kill -9 of the process that listens: what was acknowledged is there, what is sent again is there once."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import read_ack
from navette_ins.settings import InsSettings
from navette_sandbox.ports import free_ports
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

MESSAGES = 60
KILLS = 4
SENDER = {"name": "gam", "application": "GAM", "facility": "CH-TEST", "site_id": "lilas", "authority": "CH-TEST"}


def message(serial: int) -> bytes:
    version = "2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR"
    born = f"19{serial % 90 + 10}0304"
    segments = [
        f"MSH|^~\\&|GAM|CH-TEST|RIS|LILAS|20261122100000||ADT^A28^ADT_A05|K{serial}|T|{version}",
        f"PID|1||IPP{serial}^^^CH-TEST^PI||FICTIF^ALIX^ALIX^^^^L||{born}|F|||^^^^^^BDL^^38185" + "|" * 20 + "|PROV",
    ]
    return ("\r".join(segments) + "\r").encode()


class Listener:
    """The service as a process of its own, started again on the same ports as an orchestrator would."""

    def __init__(self, commands: Any, port: int, database: AsyncDatabase[dict[str, Any]]) -> None:
        self.port = port
        self.database = database
        self._commands = commands
        self._process = commands.start("serve")

    def kill(self) -> None:
        """SIGKILL, and a new process."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = self._commands.start("serve")

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self.port)
            return None

        return await until(connect, seconds=60)

    async def told(self, data: bytes) -> str:
        """Send until somebody answers, as a hospital does; the code of the answer."""
        while True:
            reader, writer = await self.connected()
            try:
                writer.write(b"\x0b" + data + b"\x1c\r")
                answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
                return str(read_ack(answer[1:-2]).code)
            except (OSError, asyncio.IncompleteReadError):
                continue
            finally:
                writer.close()

    async def kept(self, serial: int) -> bool:
        return await self.database["pam_messages"].count_documents({"control_id": f"K{serial}"}) == 1


@pytest.fixture
async def listener(settings: InsSettings, commands: Any, tmp_path: Path) -> AsyncIterator[Any]:
    senders = tmp_path / "senders.json"
    senders.write_text(json.dumps([SENDER | {"trust": "own_domain"}]))
    mllp, http = free_ports(2)
    commands.environment |= {
        "NAVETTE_PAM_PORT": str(mllp),
        "NAVETTE_PAM_SENDERS_FILE": str(senders),
        "NAVETTE_HTTP_PORT": str(http),
        "NAVETTE_HTTP_HOST": "127.0.0.1",
    }
    async with AsyncMongoClient[dict[str, Any]](settings.mongo_connection()) as client:
        yield Listener(commands, mllp, client[settings.mongo_database])


async def once(database: AsyncDatabase[dict[str, Any]], number: int) -> None:
    """Each person is recorded once, by one revision, and each message is kept once."""
    assert await database["pam_messages"].count_documents({"state": "integrated"}) == number
    assert await database["pam_messages"].count_documents({}) == number
    assert await database["identities"].count_documents({"revision": 1}) == number
    assert await database["identities"].count_documents({}) == number
    assert await database["history"].count_documents({}) == number
    assert await database["local_ids"].count_documents({}) == number


@pytest.mark.timeout(240)
@pytest.mark.dsr("RIS.INS.55")
async def test_a_message_stored_and_not_acknowledged_is_answered_when_it_comes_again(listener: Any) -> None:
    _reader, writer = await listener.connected()
    writer.write(b"\x0b" + message(0) + b"\x1c\r")
    await until(lambda: listener.kept(0), seconds=60)
    listener.kill()
    writer.close()
    assert await listener.told(message(0)) == "AA"
    await once(listener.database, 1)


@pytest.mark.timeout(400)
async def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(listener: Any) -> None:
    chance = random.Random(55)
    await listener.connected()
    moments = sorted(chance.sample(range(2, MESSAGES - 2), KILLS))

    async def executioner(serial: int) -> None:
        """Strikes between the arrival of a message and its answer, wherever the process then is."""
        await asyncio.sleep(chance.uniform(0, 0.03))
        listener.kill()

    for serial in range(MESSAGES):
        strikes = asyncio.create_task(executioner(serial)) if serial in moments else None
        assert await listener.told(message(serial)) == "AA"
        if strikes is not None:
            await strikes
    await once(listener.database, MESSAGES)
