"""Lost answers, outages, kills, new versions, withdrawals: nothing is lost and nothing is sent twice."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

import pytest
from navette_chassis import Service
from navette_chassis.testing import running, until
from navette_contracts.events import MssDelivered, MssFailed, MssSent, ReportWithdrawn


async def test_an_answer_that_is_lost_leaves_one_mail_and_the_fact(world: Any) -> None:
    world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    event = world.composed()
    async with running(world.service(receipt_grace_seconds=300.0)):
        await world.send(event)
        told = await world.told(event, 2)
    assert [type(one) for one in told] == [MssSent, MssDelivered]
    assert len(world.inbox(world.CAMILLE[1])) == 1


async def test_silence_after_the_grace_time_sends_the_same_bytes_again(world: Any) -> None:
    """The operator took the mail and its notification was lost too: the receiver can tell the second copy."""
    world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    world.operator.settings = _without_notifications(world)
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        (sent,) = await world.told(event, 1)
    first, second = world.inbox(world.CAMILLE[1])
    assert first == second
    assert isinstance(sent, MssSent)
    assert sent.message_id.encode() in first
    assert len(world.operator.store.duplicates) == 1


def _without_notifications(world: Any) -> Any:
    world.operator._notify = lambda *_: None  # type: ignore[method-assign]  # the double has no switch for it
    return world.operator.settings


@pytest.mark.dsr("MSS/CONF.08")
async def test_an_outage_is_noticed_once_at_each_end_and_nothing_is_sent_twice(world: Any) -> None:
    events = [world.composed(report=str(number)) for number in range(5)]
    world.operator.faults.add({"kind": "down"})
    service = world.service()
    async with running(service):
        for event in events:
            await world.send(event)
        await until(lambda: notices_of(service, 1))
        world.operator.faults.clear()
        for event in events:
            assert [type(one) for one in await world.told(event, 2)] == [MssSent, MssDelivered]
        notices = await until(lambda: notices_of(service, 2))
    assert sorted(notice["kind"] for notice in notices) == ["outage_ended", "outage_started"]
    assert len(world.inbox(world.CAMILLE[1])) == 5
    assert world.operator.store.duplicates == []


async def notices_of(service: Service, count: int) -> list[dict[str, Any]] | None:
    found = [notice async for notice in service.database["notices"].find({"endpoint": "mss-operator"})]
    return found if len(found) >= count else None


@pytest.mark.dsr("RIS.MSS.15")
async def test_a_new_version_goes_to_all_who_had_the_old_one_and_says_so(world: Any) -> None:
    first = world.composed(1, to=(world.CAMILLE[0],))
    second = world.composed(2, to=(world.ANTOINE[0],))
    async with running(world.service()):
        await world.send(first)
        await world.told(first, 2)
        await world.send(second)
        await world.told(second, 6)
    old, new = world.inbox(world.CAMILLE[1])
    assert "Annule et remplace" not in world.subject(old)
    assert "Annule et remplace" in world.subject(new)
    (alone,) = world.inbox(world.ANTOINE[1])
    assert "Annule et remplace" not in world.subject(alone)


async def test_a_version_that_waits_is_given_up_for_the_next_one(world: Any) -> None:
    first, second = world.composed(1), world.composed(2)
    world.neighbours.down = True
    async with running(world.service()):
        await world.send(first)
        await until(lambda: world.neighbours.calls)
        await world.send(second)
        (gone,) = await world.told(first, 1)
        assert world.failed(gone) == ("superseded", "cancelled", "nobody")
        world.neighbours.down = False
        told = await world.told(second, 3)
    assert [(type(one), one.version) for one in told] == [(MssSent, 2), (MssDelivered, 2), (MssFailed, 1)]
    (mail,) = world.inbox(world.CAMILLE[1])
    assert "Annule et remplace" not in world.subject(mail)


async def test_a_withdrawn_report_does_not_leave_any_more(world: Any) -> None:
    event = world.composed()
    withdrawn = ReportWithdrawn(
        report_id=event.report_id, version=1, withdrawn_by_rpps="99700001003", withdrawn_at=datetime.now(UTC)
    )
    world.neighbours.down = True
    async with running(world.service()):
        await world.send(event)
        await until(lambda: world.neighbours.calls)
        await world.send(withdrawn)
        (outcome,) = await world.told(event, 1)
    assert world.failed(outcome) == ("withdrawn", "cancelled", "nobody")
    assert world.everything() == []


@pytest.mark.parametrize("answer", ["lost", "on its way"])
async def test_a_process_killed_once_the_operator_has_the_mail_sends_no_second_one(world: Any, answer: str) -> None:
    """Killed between the operator's acceptance and our note of it, the next process asks before it sends."""
    if answer == "lost":
        world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    event = world.composed()
    first = world.process()
    try:
        await world.send(event)
        await until(lambda: world.inbox(world.CAMILLE[1]), 90)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(60)
    second = world.process()
    try:
        told = await world.told(event, 2, seconds=90)
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(60)
    assert [type(one) for one in told] == [MssSent, MssDelivered]
    assert len(world.inbox(world.CAMILLE[1])) == 1
