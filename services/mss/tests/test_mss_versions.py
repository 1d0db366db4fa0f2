"""New versions and withdrawals by mail: everyone who has a version hears of it, once, and nothing medical is said."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from navette_chassis.testing import running, until
from navette_contracts.events import MailKind, MssDelivered, MssSent, ReportComposed, ReportWithdrawn
from navette_mss.use_cases.refuse_replay import refuse_replay

BOTH = ["professionals", "patient"]


def withdrawn(event: ReportComposed) -> ReportWithdrawn:
    """The report of `event` is withdrawn at its version."""
    return ReportWithdrawn(
        report_id=event.report_id,
        version=event.version,
        unique_id=event.document.unique_id,
        withdrawn_by_rpps="99700001003",
        withdrawn_at=datetime.now(UTC),
    )


def parsed(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=default)


def text_of(raw: bytes) -> str:
    return " ".join(str(parsed(raw).get_body(("plain",)).get_content()).split())


@pytest.mark.dsr("RIS.MSS.15", "RIS.MSS.09")
async def test_a_new_version_goes_to_everyone_who_has_a_former_one_and_answers_its_mail(world: Any) -> None:
    first = world.composed(1, to=(world.CAMILLE[0], world.ANTOINE[0]))
    second = world.composed(2, to=(world.CAMILLE[0],))
    third = world.composed(3, to=(world.CAMILLE[0],))
    async with running(world.service()):
        await world.send(first)
        await world.told(first, 4)
        await world.send(second)
        await world.told(first, 8)
        await world.send(third)
        await world.told(first, 12)
    for _rpps, address in (world.CAMILLE, world.ANTOINE):
        one, two, three = map(parsed, world.inbox(address))
        assert "In-Reply-To" not in one
        assert two["In-Reply-To"] == two["References"] == one["Message-ID"]
        assert three["In-Reply-To"] == two["Message-ID"]
        assert three["References"].split() == [one["Message-ID"], two["Message-ID"]]
        assert "Annule et remplace" in three["Subject"]
    assert world.operator.refusals.entries == []


@pytest.mark.dsr("RIS.MSS.16")
async def test_everyone_who_has_a_version_is_told_of_the_withdrawal(world: Any, matricule: str) -> None:
    first = world.composed(1, to=(world.CAMILLE[0], world.ANTOINE[0]), audience=BOTH)
    second = world.composed(2, to=(world.CAMILLE[0],), audience=BOTH)
    async with running(world.service()):
        await world.send(first)
        await world.told(first, 6)
        await world.send(second)
        await world.told(first, 12)
        await world.send(withdrawn(second))
        told = await world.told(first, 18)
    notices = [one for one in told if one.kind is MailKind.WITHDRAWAL]
    assert sorted(type(one).__name__ for one in notices) == ["MssDelivered"] * 3 + ["MssSent"] * 3
    assert {one.version for one in notices} == {2}
    for address in (world.CAMILLE[1], world.ANTOINE[1], f"{matricule}@patient.mssante.example"):
        one, two, notice = world.inbox(address)
        assert parsed(notice)["References"].split() == [parsed(one)["Message-ID"], parsed(two)["Message-ID"]]
        assert "RETIRÉ" in text_of(notice)
        assert parsed(notice)["Subject"] == "Retrait d'un compte rendu d'imagerie DUVAL-FICTIF CAMILLE 17/04/1968"
        assert [part.get_content_type() for part in parsed(notice).walk()] == ["text/plain"]
        assert "X-MSS-CODECDA" not in parsed(notice)
        assert "IRM" not in text_of(notice)
    assert world.operator.refusals.entries == []


@pytest.mark.dsr("RIS.MSS.16")
async def test_a_withdrawal_stops_what_waits_and_tells_nobody_who_got_nothing(world: Any) -> None:
    event = world.composed()
    world.operator.faults.add({"kind": "down"})
    service = world.service()
    async with running(service):
        await world.send(event)
        await until(lambda: service.database["mails"].find_one({"report_id": event.report_id}))
        await world.send(withdrawn(event))
        (outcome,) = await world.told(event, 1)
        assert world.failed(outcome)[:2] == ("withdrawn", "cancelled")
    assert world.everything() == []


async def test_the_withdrawal_told_again_is_mailed_once(world: Any) -> None:
    event = world.composed()
    async with running(world.service()):
        await world.send(event)
        await world.told(event, 2)
        fact = withdrawn(event)
        event_id = await world.send(fact)
        await world.send(fact, event_id=event_id)
        await world.send(fact)
        told = await world.told(event, 4)
        last = world.composed(report="b")
        await world.send(last)
        await world.told(last, 2)
    assert [type(one) for one in told if one.kind is MailKind.WITHDRAWAL] == [MssSent, MssDelivered]
    assert len(world.inbox(world.CAMILLE[1])) == 3


async def test_a_version_replaced_while_it_waits_does_not_leave_to_anybody(world: Any) -> None:
    first = world.composed(1, to=(world.CAMILLE[0], world.ANTOINE[0]))
    second = world.composed(2, to=(world.CAMILLE[0],))
    world.operator.faults.add({"kind": "down"})
    service = world.service()
    async with running(service):
        await world.send(first)
        await until(lambda: service.database["mails"].find_one({"report_id": first.report_id}))
        await world.send(second)
        replaced = await world.told(first, 2)
        assert [world.failed(one)[:2] for one in replaced] == [("superseded", "cancelled")] * 2
        world.operator.faults.clear()
        told = await world.told(first, 4)
    assert [type(one).__name__ for one in told[:2]] == ["MssSent", "MssDelivered"]
    assert len(world.inbox(world.CAMILLE[1])) == 1
    assert world.inbox(world.ANTOINE[1]) == []


@pytest.mark.dsr("RIS.MSS.15")
async def test_a_mail_that_leaves_while_its_version_is_replaced_is_followed_by_the_new_version(world: Any) -> None:
    """The operator has the mail, its answer is lost, and the next version, to others, arrives."""
    first = world.composed(1, to=(world.ANTOINE[0],))
    second = world.composed(2, to=(world.CAMILLE[0],))
    world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 1})
    async with running(world.service()):
        await world.send(first)
        await until(lambda: world.inbox(world.ANTOINE[1]), 30)
        await world.send(second)
        await until(lambda: len(world.inbox(world.ANTOINE[1])) == 2, 30)
        await until(lambda: world.inbox(world.CAMILLE[1]), 30)
    old, new = map(parsed, world.inbox(world.ANTOINE[1]))
    assert new["Message-ID"] != old["Message-ID"]
    assert len(world.inbox(world.CAMILLE[1])) == 1


async def test_a_mail_of_a_withdrawn_or_replaced_report_is_not_sent_again_by_a_replay(world: Any) -> None:
    gone, old = world.composed(), world.composed(report="b")
    newer = world.composed(2, report="b")
    world.operator.faults.add({"kind": "down"})
    service = world.service()

    async def obsolete(event: ReportComposed) -> str | None:
        row = await service.database["deliveries_done"].find_one({"payload.report_id": event.report_id})
        return None if row is None else await service.transact(lambda uow: refuse_replay(row["payload"], uow))

    async with running(service):
        for event in (gone, old):
            await world.send(event)
            await until(lambda one=event: service.database["mails"].find_one({"report_id": one.report_id}))
        await world.send(withdrawn(gone))
        await world.send(newer)
        assert "a été retiré" in str(await until(lambda: obsolete(gone)))
        assert "plus récente" in str(await until(lambda: obsolete(old)))
        world.operator.faults.clear()
        await world.told(newer, 3)
    (handler,) = service.delivery_handlers
    assert handler.obsolete is refuse_replay
    assert len(world.inbox(world.CAMILLE[1])) == 1
