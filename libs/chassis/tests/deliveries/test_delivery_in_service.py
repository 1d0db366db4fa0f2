"""The whole way through one service: event in, delivery scheduled, attempted, settled, event out."""

from __future__ import annotations

from typing import Any

from navette_chassis.deliveries import Channel, Outcome
from navette_chassis.testing import running, until


async def test_an_event_becomes_a_delivery_and_its_outcome_an_event_under_one_correlation(world):
    service = world.service(delivery_poll_seconds=300.0)
    published = world.new_event("published")
    accepted: list[str] = []
    received: list[Any] = []

    @service.on(world.event)
    async def schedule(event: Any, uow: Any) -> None:
        thing = event.event.thing_id
        await uow.schedule("dmp.publish", key=thing, group=thing, payload={"number": event.event.number})

    @service.on(published)
    async def fold(event: Any, uow: Any) -> None:
        received.append(event)

    async def attempt(delivery: Any) -> Outcome:
        accepted.append(delivery.key)
        return Outcome.delivered(entry="urn:uuid:1")

    async def settle(delivery: Any, outcome: Outcome, uow: Any) -> None:
        event = published(thing_id=delivery.key, number=delivery.payload["number"])
        await uow.emit(event, subject=delivery.key)

    service.deliver(Channel("dmp.publish", "dmp"), attempt=attempt, settle=settle)
    async with running(service):
        assert (await service.checks())["dispatcher"] == "ok"
        message = world.message("t1", 7)
        await world.send(message, message, key="t1")
        await until(lambda: received)  # a commit wakes the dispatcher: its poll is minutes away
        row = await world.database["deliveries_done"].find_one({"key": "t1"})
    assert accepted == ["t1"], "the duplicate message schedules nothing"
    assert received[0].event.number == 7
    assert received[0].correlation_id == "c-t1"
    assert row["correlation_id"] == "c-t1"
    assert row["causation_id"] is not None
    assert row["traceparent"], "the attempt belongs to the trace of the message"
