"""How many messages a second an old system may send: each answered once it is durable, many per transaction.

The service runs as a process of its own that only takes in (`api`); the sender is this one. The floor is what the
database needs for the same bytes in groups of the same size, written by the bare driver.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from navette_sandbox import group
from navette_sandbox.environments import service_environment
from navette_sandbox.ports import free_port, is_listening
from navette_sandbox.supervisor import Sandbox
from pymongo import AsyncMongoClient

from tests.bench.table import Row

CONNECTIONS = 32
"""Senders at once; the most that can gather in one transaction."""
_SIZES = ((10_000, 6_000, "≥ 500/s per core"), (700_000, 400, "≥ 50/s per core"))


async def intake(sandbox: Sandbox) -> list[Row]:
    """One row per size of message."""
    port, database = free_port(), f"bench_{uuid.uuid4().hex[:8]}"
    process = _start(sandbox, port, database)
    rows = []
    try:
        await _listening(process, port)
        await _send(port, [message(f"W{number}", 10_000) for number in range(200)])
        for size, count, target in _SIZES:
            messages = [message(f"{size}-{number}", size) for number in range(count)]
            used, started = _processor(process.pid), time.perf_counter()
            await _send(port, messages)
            rate = count / (time.perf_counter() - started)
            per_core = count / max(_processor(process.pid) - used, 0.01)
            floor = await _floor(sandbox.database.uri, messages)
            rows.append(
                Row(
                    f"MLLP intake, messages of {size // 1000} kB, answered when durable",
                    target,
                    f"{rate:.0f}/s ({per_core:.0f}/s per core of the service)",
                    f"{floor:.0f}/s (the same bytes written by the bare driver, {CONNECTIONS} at a time)",
                    f"{rate / floor:.2f}×",
                )
            )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return rows


def message(number: str, size: int) -> bytes:
    """An ORU of about that size: text in lines, or a document in base64 when it is large."""
    head = (
        "MSH|^~\\&|ANCIEN-RIS|RIVES-B|NAVETTE|RIVES|20261122100000||ORU^R01^ORU_R01|"
        f"{number}|P|2.5|||||FRA|UNICODE UTF-8\r"
        f"PID|1||IPP{number}^^^RIVES-B&990000028&M^PI||EXEMPLE^ALIX^^^^^L||19840512|F\r"
        f"OBR|1|P{number}|A{number}|RXGEN2^Radio^LOCAL|||20261122093000\r"
    )
    if size > 100_000:
        data = base64.b64encode(b"%PDF-1.4\n" + random.Random(number).randbytes(size * 3 // 4)).decode()
        return f"{head}OBX|1|ED|PDF||^application^pdf^Base64^{data}||||||F\r".encode()
    text = "Une ligne de compte rendu tout à fait ordinaire, écrite pour être mesurée."
    lines = [f"OBX|{n}|TX|CR^Compte rendu^LOCAL||{text}||||||F\r" for n in range(1, size // 110)]
    return (head + "".join(lines)).encode()


def _start(sandbox: Sandbox, port: int, database: str) -> subprocess.Popen[bytes]:
    broker = sandbox.broker
    environment = service_environment(
        sandbox.layout, "report", idempotent=broker.idempotent, fetch_wait_ms=broker.fetch_wait_ms
    )
    for name in ("CERT", "KEY", "CA"):
        environment.pop(f"NAVETTE_INTAKE_{name}")
    senders = sandbox.layout.config / "bench-senders.json"
    senders.write_text(json.dumps([one | {"certificate": ""} for one in group.INTAKE_SENDERS]))
    environment["NAVETTE_INTAKE_SENDERS_FILE"] = str(senders)
    environment |= {
        "NAVETTE_INTAKE_PORT": str(port),
        "NAVETTE_PFI_PORT": str(free_port()),
        "NAVETTE_HTTP_PORT": str(free_port()),
    }
    environment["NAVETTE_MONGO_DATABASE"] = database
    environment["NAVETTE_INTAKE_MAX_CONNECTIONS"] = str(2 * CONNECTIONS)
    return subprocess.Popen([sys.executable, "-m", "navette_report", "api"], env=environment, stdout=subprocess.DEVNULL)


async def _listening(process: subprocess.Popen[bytes], port: int) -> None:
    while not is_listening(port):
        assert process.poll() is None, "the report service ended"
        await asyncio.sleep(0.1)


async def _send(port: int, messages: Sequence[bytes]) -> None:
    async def one(share: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for data in share:
            writer.write(b"\x0b" + data + b"\x1c\r")
            await writer.drain()
            assert b"\rMSA|AA|" in await reader.readuntil(b"\x1c\r")
        writer.close()

    await asyncio.gather(*(one(messages[start::CONNECTIONS]) for start in range(CONNECTIONS)))


async def _floor(uri: str, messages: Sequence[bytes]) -> float:
    async with AsyncMongoClient[dict[str, object]](uri, w="majority") as client:
        rows = client[f"bench_{uuid.uuid4().hex[:8]}"]["rows"]
        await rows.insert_one({"_id": "first"})
        started = time.perf_counter()
        for start in range(0, len(messages), CONNECTIONS):
            group = messages[start : start + CONNECTIONS]
            async with client.start_session() as session, await session.start_transaction():
                await rows.insert_many([{"data": data} for data in group], session=session)
        rate = len(messages) / (time.perf_counter() - started)
        await client.drop_database(rows.database.name)
    return rate


def _processor(pid: int) -> float:
    """Seconds of processor time a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
