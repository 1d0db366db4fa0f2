"""A platform that has documents and is taken out of the file: what it should be told is shown, and leaves later."""

from __future__ import annotations

from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import parse

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = "La plateforme qui porte ce compte rendu n’est plus configurée"


async def notices(hospital: Any, report_id: str) -> list[tuple[str, str]]:
    async with hospital.world.caller("operator") as caller:
        found = (await caller.get("/ops/notices")).json()["notices"]
    return [(one["endpoint"], one["kind"]) for one in found if one.get("report_id") == report_id]


async def orders(hospital: Any) -> list[dict[str, Any]]:
    async with hospital.world.caller("operator") as caller:
        query = {"channel": "removed-platforms", "state": "rejected"}
        return list((await caller.get("/ops/deliveries", params=query)).json()["deliveries"])


@pytest.mark.dsr("RIS.DMP.02", "DB/RIS.10")
async def test_a_withdrawal_for_a_platform_out_of_the_file_is_shown_and_leaves_once_it_is_back(
    served: Any, receiver: Any
) -> None:
    async with receiver() as platform:
        entry = {"port": platform.port}
        async with served(entry) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="sent", dmp="sent", doctor="sent", patient="sent")
        async with served() as hospital:
            await hospital.act(report_id, "withdraw")
            failed = {"dmp": "failed", "doctor": "failed", "patient": "failed"}
            lines = await hospital.become(report_id, "withdrawal", ch_1="failed", **failed)
            assert lines["ch/1"]["recipient"] == "PFI du CH d’Exemple"
            assert {(one["reason_label"], one["who_must_act"]) for one in lines.values()} == {(GONE, "administrator")}
            assert await notices(hospital, report_id) == [("platform-ch", "platform_removed")]

            async def kept() -> bool:
                return [one["code"] for one in await orders(hospital)] == ["platform_removed"]

            await until(kept, 30)
        assert len(platform.heard) == 1
        async with served(entry) as hospital:
            (order,) = await orders(hospital)
            async with hospital.world.caller("operator") as caller:
                assert (await caller.post(f"/ops/deliveries/{order['id']}/replay")).status_code == 202
            sent = {"dmp": "sent", "doctor": "sent", "patient": "sent"}
            await hospital.become(report_id, "withdrawal", ch_1="sent", **sent)
    assert [parse(one).event for one in platform.heard] == ["T02", "T04"]


async def test_what_still_waited_for_it_does_not_leave_after_the_withdrawal(served: Any, receiver: Any) -> None:
    async with receiver() as platform:
        async with served({"port": platform.port, "host": "127.0.0.2"}) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="scheduled")
        async with served() as hospital:
            await hospital.act(report_id, "withdraw")
            await hospital.become(report_id, "withdrawal", ch_1="failed")
        async with served({"port": platform.port}) as hospital:
            await hospital.become(report_id, ch_1="cancelled")
    assert platform.heard == []


async def test_what_waits_for_it_says_so_once_and_leaves_by_itself_when_it_is_back(served: Any, receiver: Any) -> None:
    async with receiver() as platform:
        async with served({"port": platform.port, "host": "127.0.0.2"}) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="scheduled", dmp="scheduled")
        for _ in range(2):
            async with served() as hospital:
                failed = {"dmp": "failed", "doctor": "failed", "patient": "failed"}
                lines = await hospital.become(report_id, ch_1="failed", **failed)
                said = {(one["reason_label"], one["who_must_act"]) for one in lines.values()}
                assert said == {(GONE, "administrator")}
                assert await notices(hospital, report_id) == [("platform-ch", "platform_removed")]
        async with served({"port": platform.port}) as hospital:
            await hospital.become(report_id, ch_1="sent", dmp="sent", doctor="sent", patient="sent")
    assert len(platform.heard) == 1


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_correction_for_a_platform_out_of_the_file_says_so(served: Any, receiver: Any) -> None:
    async with receiver() as platform:
        async with served({"port": platform.port}) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, ch_1="sent", dmp="sent", doctor="sent", patient="sent")
        async with served() as hospital:
            await hospital.replace(report_id, built_on=1)
            failed = {"dmp": "failed", "doctor": "failed", "patient": "failed"}
            lines = await hospital.become(report_id, ch_2="failed", **failed)
            assert {(one["reason_label"], one["who_must_act"]) for one in lines.values()} == {(GONE, "administrator")}
            assert await notices(hospital, report_id) == [("platform-ch", "platform_removed")]


@pytest.mark.dsr("DB/RIS.12")
async def test_a_copy_that_nobody_corrects_any_more_is_told(served: Any, receiver: Any) -> None:
    async with receiver() as platform, receiver() as box:
        entry = {"port": platform.port}
        drim = {"name": "drim", "label": "DRIMbox du groupe", "kind": "drimbox", "port": box.port, "facility": "GROUPE"}
        async with served(entry, drim, copies=["drim"]) as hospital:
            report_id = await hospital.report()
            await hospital.become(report_id, **{"ch/1": "sent", "drim/1": "sent"})
        async with served(entry) as hospital:
            await hospital.replace(report_id, built_on=1)
            lines = await hospital.become(report_id, **{"ch/2": "sent", "drim/2": "failed", "dmp": "sent"})
            told = (lines["drim/2"]["recipient"], lines["drim/2"]["reason_label"], lines["drim/2"]["who_must_act"])
            assert told == ("DRIMbox du groupe", GONE, "administrator")
            await hospital.act(report_id, "withdraw")
            await hospital.become(report_id, "withdrawal", **{"ch/2": "sent", "drim/1": "failed", "dmp": "sent"})
