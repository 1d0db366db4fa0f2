"""The double on a port of its own, and connections to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.pfi.server import PfiSimulator
from navette_sandbox.simulators.pfi.settings import PfiSettings


@dataclass
class Answer:
    """What an acknowledgement says."""

    code: str
    number: str
    condition: str = ""
    application: str = ""
    header: tuple[str, ...] = ()


def read_answer(data: bytes) -> Answer:
    lines = {line.split("|")[0]: line.split("|") for line in data.decode().split("\r") if line}
    error = lines.get("ERR", ["ERR"] + [""] * 6)
    return Answer(lines["MSA"][1], lines["MSA"][2], error[3].split("^")[0], error[5].split("^")[0], tuple(lines["MSH"]))


@dataclass
class Link:
    """One connection to the double, as a client with a certificate."""

    double: PfiSimulator
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, report: Any) -> Answer:
        """Send bytes, or something that makes them; the answer."""
        data = report if isinstance(report, bytes) else report.bytes()
        self.writer.write(b"\x0b" + data + b"\x1c\r")
        answer = await asyncio.wait_for(self.reader.readuntil(b"\x1c\r"), 30)
        return read_answer(answer[1:-2])


Connect = Callable[..., Awaitable[Link]]


@pytest.fixture
def connect(pki: Pki) -> Connect:
    async def to(double: PfiSimulator, *, certificate: str | None = "ris-client") -> Link:
        context = ssl.create_default_context(cafile=str(pki.igc_ca))
        if certificate is not None:
            context.load_cert_chain(*pki.pair(certificate))
        port = double.ports()["port"]
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context, limit=2**24)
        return Link(double, reader, writer)

    return to


@pytest.fixture
def settings() -> PfiSettings:
    return PfiSettings()


@pytest_asyncio.fixture
async def double(pki: Pki, tmp_path: Path, settings: PfiSettings) -> AsyncIterator[PfiSimulator]:
    simulator = PfiSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path / "pfi"), settings)
    async with simulator:
        yield simulator


@pytest_asyncio.fixture
async def link(double: PfiSimulator, connect: Connect) -> AsyncIterator[Link]:
    opened = await connect(double)
    yield opened
    opened.writer.close()
