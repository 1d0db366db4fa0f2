"""Following a report live: an event whenever its journey changes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Id and body of each event of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("event") == "journey":
            found.append((fields["id"], json.loads(fields["data"])))
    return found


async def watch(world: Any, report_id: str, *, seconds: float, last: str | None = None) -> Any:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with world.caller("secretary") as caller:
        return await caller.get(f"/reports/{report_id}/events", params={"seconds": seconds}, headers=headers)


async def test_whoever_follows_a_report_sees_it_change_without_asking_again(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    watching = asyncio.create_task(watch(world, report_id, seconds=4))
    first = events_of((await watch(world, report_id, seconds=0.01)).text)
    await world.sign(report_id)
    answer = await watching
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    assert events[0] == first[0]
    assert events[0][1]["report"]["state"] == "draft"
    assert events[-1][1]["report"]["state"] == "waiting"
    assert events[-1][1]["lines"]
    assert len({mark for mark, _ in events}) == len(events)


async def test_who_comes_back_is_not_told_again_what_they_know(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    ((mark, _),) = events_of((await watch(world, report_id, seconds=0.01)).text)
    assert events_of((await watch(world, report_id, seconds=0.01, last=mark)).text) == []


async def test_a_report_of_another_site_is_not_followed(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    async with world.caller("secretary", sites=[world.other_site]) as caller:
        assert (await caller.get(f"/reports/{report_id}/events")).status_code == 403
    async with world.caller("secretary") as caller:
        assert (await caller.get("/reports/unknown/events")).status_code == 404
