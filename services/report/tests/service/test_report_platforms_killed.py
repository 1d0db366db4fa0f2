"""A process killed between a message and its answer: the same bytes leave again, under the same MSH-10."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import build_ack, parse
from navette_sandbox.ports import free_port
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

PFI = {
    "name": "ch", "label": "PFI du CH", "kind": "pfi", "host": "127.0.0.1", "application": "PFI", "facility": "CH",
    "sending_facility": "C", "ack_reception": False,
}  # fmt: skip


async def test_killed_before_the_answer_the_same_bytes_leave_again_and_are_taken_once(
    world_with: Any, tmp_path: Any
) -> None:
    port, heard, answering = free_port(), list[bytes](), asyncio.Event()

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heard.append((await reader.readuntil(b"\x1c\r"))[1:-2])
                await answering.wait()
                message = parse(heard[-1])
                answer = build_ack(message, "AA", own_id="1", at=world.service.clock.now())
                writer.write(b"\x0b" + answer + b"\x1c\r")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    routes = {"site_id": "site-nord", "dmp": "ch", "professionals": "ch", "patient": "ch"}
    (tmp_path / "pfi.json").write_text(json.dumps({"platforms": [PFI | {"port": port}], "sites": [routes]}))
    quick = {"delivery_poll_seconds": 0.1, "delivery_lease_seconds": 2.0, "pfi_probe_seconds": 0.2}
    async with world_with(pfi_file=tmp_path / "pfi.json", **quick) as world:
        patient_id = await world.known(world.new_patient())
        report_id = await world.signed(patient_id)
        await world.become(report_id, **{"ch/1": "scheduled"})
        settings = world.service.settings

    environment = {"PATH": os.environ["PATH"], "NAVETTE_HTTP_HOST": "127.0.0.1"}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        environment[f"NAVETTE_{name.upper()}"] = str(getattr(value, "get_secret_value", lambda value=value: value)())

    async def started() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "navette_report", "serve",
            env=environment | {"NAVETTE_HTTP_PORT": str(free_port())},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async with (
        await asyncio.start_server(platform, "127.0.0.1", port, limit=2**24),
        AsyncMongoClient[dict[str, Any]](settings.mongo_uri.get_secret_value()) as client,
    ):
        process = await started()
        try:
            await until(lambda: len(heard) == 1, 90)
            process.kill()
            await process.wait()
            answering.set()
            process = await started()
            messages = client[settings.mongo_database]["platform_messages"]

            async def accepted() -> bool:
                return [row["state"] for row in await messages.find({"report_id": report_id}).to_list()] == ["accepted"]

            await until(accepted, 90)
        finally:
            process.kill()
            await process.wait()
    assert len(heard) == 2
    assert heard[0] == heard[1]
