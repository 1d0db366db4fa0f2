"""What an operator sees and does: list, replay one, replay a filtered set, notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from navette_chassis.auth import Principal, TokenRefusedError
from navette_chassis.deliveries import Outcome
from navette_chassis.deliveries.store import DeliveryStore
from navette_chassis.http import build_app
from navette_chassis.telemetry.metrics import Metrics, use
from navette_chassis.testing import until
from navette_contracts.events import WhoMustAct


class Callers:
    async def verify(self, token: str) -> Principal:
        if token not in {"operator", "radiologist"}:
            raise TokenRefusedError("signature_invalid")
        return Principal(f"user-{token}", "user", frozenset({token}))


class Desk:
    """The service around an office, as far as its operations go."""

    def __init__(self, office: Any) -> None:
        host = office.host()
        self.settings, self.clock, self.database = host.settings, host.clock, host.database
        self.delivery_handlers = host.delivery_handlers
        self.name, self.routers, self.served_routers = "desk", [], []
        self.rule_words: dict[str, str] = {}
        self.document_paths: tuple[str, ...] = ()
        self.delivery_store = DeliveryStore(host)
        self._office = office

    async def transact(self, use_case: Any, *args: Any) -> Any:
        return await self._office.transact(lambda uow: use_case(uow, *args))


@pytest.fixture
async def client(office: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(Desk(office), verifier=Callers())  # type: ignore[arg-type]
    headers = {"Authorization": "Bearer operator"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://desk", headers=headers
    ) as one:
        yield one


async def reject(office: Any, *keys: str) -> None:
    office.remote.script = [Outcome.permanent("XDSRepositoryError", WhoMustAct.OPERATOR) for _ in keys]
    await office.schedule(*keys)
    async with office.at_work():
        for key in keys:
            await office.reaches(key, "rejected")


async def audited(office: Any) -> list[str]:
    return [row["topic"] async for row in office.database["outbox"].find({})]


async def test_operations_are_for_operators(client):
    for method, path in (
        ("GET", "/ops/deliveries"),
        ("GET", "/ops/notices"),
        ("POST", "/ops/deliveries/x/replay"),
        ("POST", "/ops/deliveries/replay"),
    ):
        answer = await client.request(method, path, headers={"Authorization": "Bearer radiologist"}, json={})
        assert answer.status_code == 403, path
        assert (await client.request(method, path, headers={"Authorization": ""}, json={})).status_code == 401


async def test_the_list_shows_states_and_attempts_and_never_the_payload(office, client):
    await reject(office, "k1")
    await office.schedule("k2")
    everything = (await client.get("/ops/deliveries")).json()["deliveries"]
    assert [(one["key"], one["state"]) for one in everything] == [("k2", "scheduled"), ("k1", "rejected")]
    assert everything[1]["attempts"][0]["code"] == "XDSRepositoryError"
    assert all("payload" not in one for one in everything)
    only = (await client.get("/ops/deliveries", params={"state": "rejected", "channel": "dmp.publish"})).json()
    assert [one["key"] for one in only["deliveries"]] == ["k1"]
    assert (await client.get("/ops/deliveries", params={"state": "lost"})).status_code == 422
    assert (await client.get("/ops/deliveries", params={"channel": "mss.send"})).json() == {"deliveries": []}


async def test_one_ended_delivery_is_replayed_keeps_its_history_and_is_audited(office, client):
    await reject(office, "k1")
    row = await office.row("k1")
    answer = await client.post(f"/ops/deliveries/{row['_id']}/replay")
    assert (answer.status_code, answer.json()["result"]) == (202, "replayed")
    async with office.at_work():
        again = await office.reaches("k1", "delivered")
    assert again["_id"] == row["_id"]
    assert [entry["n"] for entry in again["attempts"]] == [1, 2]
    assert await audited(office) == ["access.recorded"]


async def test_what_must_not_be_replayed_is_refused(office, client):
    await office.schedule("done")
    async with office.at_work():
        done = await office.reaches("done", "delivered")
    await office.schedule("first", "second", group="g")
    second = await office.row("second")
    await office.database["deliveries"].update_one({"key": "first"}, {"$set": {"state": "in_progress"}})
    first = await office.row("first")
    for row, kind in ((done, "delivered"), (first, "in-progress"), (second, "behind-another")):
        answer = await client.post(f"/ops/deliveries/{row['_id']}/replay")
        assert (answer.status_code, answer.json()["type"]) == (409, f"urn:navette:problem:delivery-{kind}")
    assert (await client.post("/ops/deliveries/nobody/replay")).status_code == 404
    assert await audited(office) == []


async def test_a_delivery_that_waits_for_its_next_attempt_can_be_hastened(office, client):
    await office.schedule("k1", not_before=office.clock.now().replace(year=2100))
    row = await office.row("k1")
    async with office.at_work():
        assert (await client.post(f"/ops/deliveries/{row['_id']}/replay")).status_code == 202
        await office.reaches("k1", "delivered")


async def test_a_filtered_set_is_counted_first_and_then_replayed(office, client):
    await reject(office, "k1", "k2", "k3")
    which = {"state": "rejected", "channel": "dmp.publish", "code": "XDSRepositoryError"}
    counted = (await client.post("/ops/deliveries/replay", json=which)).json()
    assert counted == {"matched": 3, "replayed": 0, "remaining": 3, "dry_run": True}
    assert await office.database["deliveries"].count_documents({}) == 0

    for moved, remaining in ((2, 1), (1, 0)):
        answer = (await client.post("/ops/deliveries/replay", json=which | {"dry_run": False, "limit": 2})).json()
        assert (answer["replayed"], answer["remaining"]) == (moved, remaining)
    async with office.at_work():
        await until(lambda: len(office.remote.accepted) == 3)
    assert await audited(office) == ["access.recorded"] * 3

    none = await client.post("/ops/deliveries/replay", json=which | {"finished_to": "2020-01-01T00:00:00Z"})
    assert none.json()["matched"] == 0


@pytest.mark.parametrize(
    "body",
    [{"state": "delivered"}, {"state": "scheduled"}, {"finished_from": "2026-01-01T00:00:00"}, {"everything": True}],
)
async def test_a_filter_that_cannot_be_meant_is_refused(client, body):
    assert (await client.post("/ops/deliveries/replay", json=body)).status_code == 422


async def test_notices_are_listed_newest_first(office, client):
    await office.database["notices"].insert_many(
        [
            {"_id": f"dmp:{n}:outage_started", "endpoint": "dmp", "kind": "outage_started", "at": at}
            for n, at in enumerate([office.clock.now().replace(year=2025), office.clock.now()])
        ]
    )
    notices = (await client.get("/ops/notices")).json()["notices"]
    assert [one["id"] for one in notices] == ["dmp:1:outage_started", "dmp:0:outage_started"]


async def test_the_gauges_say_what_waits_and_since_when(office, noon):
    office.clock = noon
    fresh = Metrics()
    use(fresh)
    await office.schedule("k1", not_before=noon.now().replace(year=2100))
    dispatcher, _, _ = office.worker()
    await dispatcher.sample()
    noon.advance(noon.now().replace(hour=13) - noon.now())
    await dispatcher.sample()
    assert 'navette_deliveries{channel="dmp.publish",state="scheduled"} 1' in fresh.text()
    assert 'navette_delivery_oldest_pending_seconds{channel="dmp.publish"} 3600' in fresh.text()
    await office.database["deliveries"].delete_many({})
    await dispatcher.sample()
    assert 'navette_deliveries{channel="dmp.publish",state="scheduled"} 0' in fresh.text()
    assert 'navette_delivery_oldest_pending_seconds{channel="dmp.publish"} 0' in fresh.text()
