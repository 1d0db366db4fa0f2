"""A refused message that is replayed: unchanged it is the same message; with another content it is another one."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import AckCode, AckError, MessageError, build_ack, parse
from navette_sandbox.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = {
    "name": "ch", "label": "PFI du CH", "kind": "pfi", "host": "127.0.0.1", "application": "PFI", "facility": "CH",
    "sending_facility": "C",
}  # fmt: skip
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ROUTES = {"site_id": "site-nord", "dmp": "ch", "professionals": "ch", "patient": "ch"}


@dataclass
class Receiver:
    """A platform that takes one version of the volet only, and knows messages again by their MSH-10."""

    takes: str
    first_code: str = ""
    """What stands in MSA-1 of its first answer instead of the code, "-" for nothing."""
    heard: list[bytes] = field(default_factory=list)
    memory: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                raw = (await reader.readuntil(b"\x1c\r"))[1:-2]
                self.heard.append(raw)
                answer = self.answer(raw)
                if self.first_code and len(self.heard) == 1:
                    answer = answer.replace(b"MSA|AA|", f"MSA|{self.first_code.strip('-')}|".encode())
                writer.write(b"\x0b" + answer + b"\x1c\r")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    def answer(self, raw: bytes) -> bytes:
        message = parse(raw)
        if message.control_id not in self.memory:
            good = message.msh.value(21) == self.takes
            errors = [] if good else [AckError(MessageError.VERSION, "version")]
            code: AckCode = "AA" if good else "AE"
            self.memory[message.control_id] = build_ack(message, code, own_id="1", at=AT, errors=errors)
        return self.memory[message.control_id]


@asynccontextmanager
async def served(world_with: Any, folder: Path, database: str, receipts: int, **entry: Any) -> AsyncIterator[Any]:
    """The service with this entry of the platform; the database outlives it."""
    (folder / "pfi.json").write_text(json.dumps({"platforms": [ENTRY | entry], "sites": [ROUTES]}))
    quick = {"delivery_poll_seconds": 0.1, "pfi_probe_seconds": 0.2, "pfi_retry_first_seconds": 0.2}
    async with world_with(pfi_file=folder / "pfi.json", pfi_port=receipts, mongo_database=database, **quick) as world:
        yield world


async def say(port: int, raw: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x0b" + raw.encode() + b"\x1c\r")
    assert b"MSA|AA" in await reader.readuntil(b"\x1c\r")
    writer.close()


async def test_a_correction_of_the_file_makes_another_message_and_a_mere_replay_does_not(
    world_with: Any, hospital_of: Any, tmp_path: Path
) -> None:
    platform, port, receipts = Receiver("2.0"), free_port(), free_port()
    database = f"test_{uuid.uuid4().hex[:12]}"
    async with await asyncio.start_server(platform, "127.0.0.1", port, limit=2**24):
        async with served(world_with, tmp_path, database, receipts, port=port, version="2.1") as world:
            hospital = hospital_of(world)
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="refused")
            assert await hospital.replay(report_id) == ["replayed"]

            async def refused_again() -> bool:
                rows = await world.service.database["platform_messages"].find({"state": "refused"}).to_list()
                return len(platform.heard) == 2 and len(rows) == 1

            await until(refused_again, 30)
        async with served(world_with, tmp_path, database, receipts, port=port, version="2.0") as world:
            hospital = hospital_of(world)
            assert await hospital.replay(report_id) == ["replayed"]
            # By its memory the platform would have refused the corrected message under its first number.
            await hospital.become(report_id, ch_1="sent", dmp="sent")
            first, again, corrected = platform.heard
            assert first == again
            number = parse(corrected).control_id
            assert number != parse(first).control_id
            # A receipt cites the number that was taken.
            await say(
                receipts,
                "MSH|^~\\&|PFI|CH|NAVETTE|C|20261123||ZAM^Z01^ZAM_Z01|Z1|T|2.6|||||FRA|UNICODE UTF-8\r"
                f"OBX|1|CWE|ACK_RECEPTION_DMP^x^AckMetierZAM|{number}|Y^^expandedYes-NoIndicator||||||F\r",
            )
            await hospital.become(report_id, ch_1="delivered", dmp="delivered")


@pytest.mark.parametrize("code", ["XX", "-"])
async def test_an_answer_that_is_no_answer_is_asked_for_again_and_never_shown_as_a_refusal(
    world_with: Any, hospital_of: Any, tmp_path: Path, code: str
) -> None:
    platform, port = Receiver("2.1", first_code=code), free_port()
    async with await asyncio.start_server(platform, "127.0.0.1", port, limit=2**24):
        database = f"test_{uuid.uuid4().hex[:12]}"
        async with served(world_with, tmp_path, database, free_port(), port=port) as world:
            hospital = hospital_of(world)
            report_id = await hospital.report()
            lines = await hospital.become(report_id, ch_1="sent", dmp="sent", doctor="sent", patient="sent")
    assert not any({"refused", "failed"} & set(line["times"]) for line in lines.values())
    first, again = platform.heard
    assert first == again
