"""How many messages of about 1 kB are taken in a second: MLLP alone (the floor), then kept and integrated.

Measures and prints (`-s`); asserts only that every message is answered and every person recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from navette_chassis.mllp import Destination, Listener, Malformed, MllpServer, Peer, mllp_client

pytestmark = pytest.mark.bench

NUMBER = int(os.environ.get("NAVETTE_BENCH_MESSAGES", "60"))
SYLLABLES = ["BA", "BE", "CHA", "DE", "DU", "FE", "GA", "JO", "LA", "LE", "MA", "MI", "PE", "RO", "SA", "TI", "VA"]


def message(serial: int) -> bytes:
    """An A28 of a fictitious person nobody sent before; names and dates spread, so that few look alike."""
    chance = random.Random(serial)
    name = "".join(chance.choices(SYLLABLES, k=4)) + "-FICTIF"
    given = "".join(chance.choices(SYLLABLES, k=3))
    born = (date(1930, 1, 1) + timedelta(days=chance.randrange(33_000))).strftime("%Y%m%d")
    version = "2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR"
    segments = [
        f"MSH|^~\\&|GAM|CH-TEST|RIS|LILAS|20261122100000||ADT^A28^ADT_A05|B{serial}|T|{version}",
        "EVN||20261122100000",
        f"PID|1||IPP{serial}^^^CH-TEST&990000019&M^PI||{name}^{given}^{given}^^^^L||{born}|F|||^^^^^^BDL^^38185"
        + "|" * 20
        + "N|PROV",
        "PV1|1|N",
        "ZFD||||N|SM",
        "NTE|1||" + "x" * 700,
    ]
    return ("\r".join(segments) + "\r").encode()


class Floor:
    """Answers and does nothing else."""

    async def received(self, data: bytes, peer: Peer) -> bytes:
        control_id = data.split(b"|", 10)[9].decode()
        return f"MSH|^~\\&|R|C|GAM|CH|1||ACK|1|T|2.5\rMSA|AA|{control_id}\r".encode()

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        raise AssertionError(piece.why)


async def measure(port: int, what: str, *, start: int, number: int, connections: int) -> None:
    times: list[float] = []

    async def one(share: range) -> None:
        async with mllp_client(Destination("bench", "127.0.0.1", port)) as client:
            for serial in share:
                began = time.perf_counter()
                assert (await client.send(message(serial), f"B{serial}")).code == "AA"
                times.append(1000 * (time.perf_counter() - began))

    began = time.perf_counter()
    await asyncio.gather(*(one(range(start + index, start + number, connections)) for index in range(connections)))
    rate = number / (time.perf_counter() - began)
    cut = statistics.quantiles(times, n=100)
    size = len(message(start))
    facts = {"what": what, "bytes": size, "connections": connections, "messages_per_second": round(rate, 1)}
    sys.stdout.write(json.dumps(facts | {"p50_ms": round(cut[49], 2), "p99_ms": round(cut[98], 2)}) + "\n")


async def test_mllp_alone() -> None:
    floor = MllpServer(Listener("floor"), Floor())
    await floor.start()
    for connections in (1, 8):
        await measure(floor.port, "mllp", start=0, number=40 * NUMBER, connections=connections)
    await floor.stop()


async def test_messages_kept_and_integrated_before_they_are_answered(open_links: Callable[..., Any]) -> None:
    async with open_links() as links:
        await measure(links.port, "warm-up", start=900_000, number=10, connections=1)
        for index, connections in enumerate((1, 4, 8)):
            await measure(links.port, "kept", start=index * 100_000, number=NUMBER, connections=connections)
        assert len(await links.identities()) == 10 + 3 * NUMBER
