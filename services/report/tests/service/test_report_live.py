"""Following a report live: an event whenever its journey changes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from navette_chassis.testing import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Id and body of each event of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("event") == "journey":
            found.append((fields["id"], json.loads(fields["data"])))
    return found


async def watch(world: Any, report_id: str, *, last: str | None = None) -> Any:
    """A look that ends at once."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with world.caller("secretary") as caller:
        return await caller.get(f"/reports/{report_id}/events", params={"seconds": 0.01}, headers=headers)


class Follower:
    """A browser that stays: it sees each event as it comes, and goes away when told."""

    def __init__(self, world: Any, report_id: str) -> None:
        self._app = world.app
        self._caller = world.caller("secretary")
        self._path = f"/reports/{report_id}/events"
        self._gone = asyncio.Event()
        self._asked = False
        self.content_type = ""
        self.text = ""

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return events_of(self.text)

    async def follow(self) -> None:
        """Return when the stream ended."""
        headers = [(name.lower().encode(), value.encode()) for name, value in self._caller.headers.items()]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
        scope |= {"path": self._path, "raw_path": self._path.encode(), "query_string": b"seconds=55", "root_path": ""}
        scope |= {"headers": headers, "client": ("127.0.0.1", 1), "server": ("report", 80)}
        await self._app(scope, self._receive, self._send)

    def leave(self) -> None:
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.content_type = dict(message["headers"])[b"content-type"].decode()
        else:
            self.text += message.get("body", b"").decode()


async def test_whoever_follows_a_report_sees_it_change_without_asking_again(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    follower = Follower(world, report_id)
    following = asyncio.create_task(follower.follow())
    await until(follower.events)
    first = events_of((await watch(world, report_id)).text)
    await world.sign(report_id)
    await until(lambda: follower.events()[-1][1]["report"]["state"] == "waiting" and follower.events()[-1][1]["lines"])
    follower.leave()
    await following
    assert follower.content_type.startswith("text/event-stream")
    events = follower.events()
    assert events[0] == first[0]
    assert events[0][1]["report"]["state"] == "draft"
    assert events[-1][1]["report"]["state"] == "waiting"
    assert events[-1][1]["lines"]
    assert len({mark for mark, _ in events}) == len(events)


async def test_who_comes_back_is_not_told_again_what_they_know(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    ((mark, _),) = events_of((await watch(world, report_id)).text)
    assert events_of((await watch(world, report_id, last=mark)).text) == []


async def test_a_report_of_another_site_is_not_followed(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    async with world.caller("secretary", sites=[world.other_site]) as caller:
        assert (await caller.get(f"/reports/{report_id}/events")).status_code == 404
    async with world.caller("secretary") as caller:
        assert (await caller.get("/reports/unknown/events")).status_code == 404
