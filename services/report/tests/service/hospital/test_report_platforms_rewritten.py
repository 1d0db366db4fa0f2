"""A refused message that is replayed: unchanged it is the same message; with another content it is another one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import parse

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def say(port: int, raw: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x0b" + raw.encode() + b"\x1c\r")
    assert b"MSA|AA" in await reader.readuntil(b"\x1c\r")
    writer.close()


async def test_a_correction_of_the_file_makes_another_message_and_a_mere_replay_does_not(
    served: Any, receiver: Any
) -> None:
    async with receiver(takes="2.0") as platform:
        async with served({"port": platform.port, "version": "2.1"}) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="refused")
            assert await hospital.replay(report_id) == ["replayed"]
            messages = hospital.world.service.database["platform_messages"]

            async def refused_again() -> bool:
                return len(platform.heard) == 2 and await messages.find_one({"state": "refused"}) is not None

            await until(refused_again, 30)
        async with served({"port": platform.port, "version": "2.0"}) as hospital:
            assert await hospital.replay(report_id) == ["replayed"]
            # By its memory the platform would have refused the corrected message under its first number.
            await hospital.become(report_id, ch_1="sent", dmp="sent")
            first, again, corrected = platform.heard
            assert first == again
            number = parse(corrected).control_id
            assert number != parse(first).control_id
            # A receipt cites the number that was taken.
            await say(
                hospital.receipts_port,
                "MSH|^~\\&|PFI-EXEMPLE|CH-EXEMPLE|NAVETTE|CENTRE|20261123||ZAM^Z01^ZAM_Z01|Z1|T|2.6|||||FRA\r"
                f"OBX|1|CWE|ACK_RECEPTION_DMP^x^AckMetierZAM|{number}|Y^^expandedYes-NoIndicator||||||F\r",
            )
            await hospital.become(report_id, ch_1="delivered", dmp="delivered")


@pytest.mark.parametrize("code", ["XX", "-"])
async def test_an_answer_that_is_no_answer_is_asked_for_again_and_never_shown_as_a_refusal(
    served: Any, receiver: Any, code: str
) -> None:
    async with receiver(first_code=code) as platform, served({"port": platform.port}) as hospital:
        report_id = await hospital.report()
        lines = await hospital.become(report_id, ch_1="sent", dmp="sent", doctor="sent", patient="sent")
    assert not any({"refused", "failed"} & set(line["times"]) for line in lines.values())
    first, again = platform.heard
    assert first == again
