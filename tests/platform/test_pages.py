"""People before a page, in real processes: following a report live, and acting on it with forms alone."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any

import pytest
from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import reports
from navette_sandbox.scenarios.client import PlatformError, Radiologist
from navette_sandbox.scenarios.stage import Played, Stage

pytestmark = [pytest.mark.timeout(240)]
PATIENCE = 60.0


async def _drafted(stage: Stage) -> tuple[Played, str]:
    """A draft about a registered patient, and the path of its events, long enough to end by itself only after us."""
    text = next(one for one in reports() if one.patient == "P01")
    await stage.register("P01")
    played = stage.prepare(text)
    await stage.draft(played)
    stage.played.remove(played)  # what happens to it is not of the verification of the platform
    return played, f"/reports/{played.report_id}/events?seconds=55"


def _state(body: dict[str, Any]) -> str:
    return str(body["report"]["state"])


async def test_a_reader_sees_each_change_and_is_not_told_again_after_coming_back(stage: Stage) -> None:
    played, path = await _drafted(stage)
    doctor = stage.radiologist
    async with asyncio.timeout(PATIENCE), doctor.watch("report", path) as events:
        first = await anext(events)
        assert (_state(first.body), first.body["lines"]) == ("draft", [])
        await doctor.sign(played.report_id)
        seen = [first]
        while not (_state(seen[-1].body) == "composed" and seen[-1].body["lines"]):
            seen.append(await anext(events))
    assert len({one.event_id for one in seen}) == len(seen)

    # The connection is lost; the browser comes back with the last id it saw.
    async with asyncio.timeout(PATIENCE), doctor.watch("report", path, last=first.event_id) as events:
        again = await anext(events)
    assert again.event_id != first.event_id
    assert _state(again.body) == "composed"


async def test_readers_who_do_not_read_keep_nobody_else_waiting(stage: Stage) -> None:
    played, path = await _drafted(stage)
    doctor = stage.radiologist
    async with AsyncExitStack() as lazy:
        for _each in range(30):
            await lazy.enter_async_context(doctor.watch("report", path))
        async with asyncio.timeout(PATIENCE), doctor.watch("report", path) as events:
            assert _state((await anext(events)).body) == "draft"
            await doctor.sign(played.report_id)
            while _state((await anext(events)).body) == "draft":
                pass
        assert (await doctor.journey(played.report_id))["report"]["version"] == 1


async def test_a_logout_ends_the_streams_of_the_session_and_no_other(stage: Stage) -> None:
    _played, path = await _drafted(stage)
    async with asyncio.timeout(PATIENCE), stage.radiologist.watch("report", path) as mine:
        await anext(mine)
        async with Radiologist(stage.sandbox.layout, group.RADIOLOGIST["rpps"]) as elsewhere:
            # The report would end this stream by itself only after 55 s.
            async with asyncio.timeout(45), elsewhere.watch("report", path) as events:
                await anext(events)
                await elsewhere.log_out()
                rest = [one async for one in events]
            assert rest == []
            with pytest.raises(PlatformError, match="answered 401"):
                async with elsewhere.watch("report", path):
                    pass
        still = asyncio.ensure_future(anext(mine))
        done, _ = await asyncio.wait({still}, timeout=0)
        assert not done
        still.cancel()


_HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]+)">')


async def test_a_report_is_signed_and_withdrawn_with_forms_alone(stage: Stage) -> None:
    played, _path = await _drafted(stage)
    doctor = stage.radiologist
    page = f"/pages/reports/{played.report_id}"

    async def act(name: str, **fields: str) -> None:
        hidden = dict(_HIDDEN.findall(await doctor.page("report", f"{page}/acts/{name}")))
        assert set(hidden) == {"csrf_token", "seen"}
        forged = await doctor.submit("report", f"{page}/acts/{name}", hidden | fields | {"csrf_token": "guessed"})
        assert forged.status_code == 403
        answer = await doctor.submit("report", f"{page}/acts/{name}", hidden | fields)
        where = answer.headers.get("location", answer.text)
        assert (answer.status_code, where) == (303, f"/api/report{page}")

    await act("sign", withheld_from_patient="true")
    version = (await doctor.journey(played.report_id))["report"]["versions"][0]
    assert {one["name"] for one in version["choices"] if one["value"]} == {"withheld_from_patient"}
    await act("withdraw", confirmed="true", reason="Essai de la plateforme")
    assert (await doctor.journey(played.report_id))["report"]["state"] == "withdrawn"
    assert "Que faire maintenant" not in await doctor.page("report", page)
