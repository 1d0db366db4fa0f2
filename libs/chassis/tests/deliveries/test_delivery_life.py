"""The life of one delivery: attempted, tried again, ended once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from navette_chassis.deliveries import Channel, Outcome, RetryPolicy
from navette_chassis.testing import until
from navette_contracts.events import ErrorClass, WhoMustAct


async def test_a_scheduled_delivery_is_attempted_and_settled_in_the_transaction_of_its_end(office):
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "delivered")
    assert row["remote_ids"] == {"remote": "r-1"}
    assert [(entry["n"], entry["outcome"], entry["code"]) for entry in row["attempts"]] == [(1, "delivered", "ok")]
    assert await office.database["settled"].count_documents({"key": "k1"}) == 1
    assert await office.database["deliveries"].count_documents({}) == 0, "open work stays small"
    [delivery] = office.remote.seen
    assert (delivery.attempt, delivery.must_query, dict(delivery.payload)) == (1, False, {"report_id": "k1"})


async def test_the_same_key_is_scheduled_once_even_after_it_ended(office):
    answers = []

    async def use_case(uow):
        answers.append(await uow.schedule("dmp.publish", key="k1", group="g", payload={}))
        answers.append(await uow.schedule("dmp.publish", key="k1", group="g", payload={}))

    await office.transact(use_case)
    async with office.at_work():
        await office.reaches("k1", "delivered")
    await office.transact(use_case)
    assert answers == [True, False, False, False]
    assert office.remote.accepted == {"k1": 1}


async def test_scheduling_the_same_key_at_the_same_time_from_two_handlers_keeps_one(office):
    async def use_case(uow):
        return await uow.schedule("dmp.publish", key="k1", group="g", payload={})

    answers = await asyncio.gather(*(office.transact(use_case) for _ in range(5)))
    assert sorted(answers) == [False, False, False, False, True]
    assert await office.database["deliveries"].count_documents({}) == 1


async def test_nothing_is_scheduled_when_the_unit_of_work_fails(office):
    async def use_case(uow):
        await uow.schedule("dmp.publish", key="k1", group="g", payload={})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await office.transact(use_case)
    assert await office.row("k1") is None


async def test_an_undeclared_channel_is_refused(office):
    with pytest.raises(LookupError, match="no channel named"):
        await office.schedule("k1", channel="fax")


async def test_a_transient_answer_is_tried_again_without_asking_first(office):
    office.remote.script = [Outcome.transient("http_503"), Outcome.transient("http_503")]
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "delivered")
    assert [entry["code"] for entry in row["attempts"]] == ["http_503", "http_503", "ok"]
    assert [delivery.must_query for delivery in office.remote.seen] == [False, False, False]
    assert [delivery.attempt for delivery in office.remote.seen] == [1, 2, 3]


async def test_after_a_lost_answer_every_further_attempt_asks_first(office):
    office.remote.script = [Outcome.ambiguous("answer_lost"), Outcome.transient("http_503")]
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "delivered")
    assert [delivery.must_query for delivery in office.remote.seen] == [False, True, True]


async def test_an_exception_counts_as_ambiguous_and_leaves_no_text_behind(office):
    office.remote.script = [ValueError("DUPONT Marie 2 84 05 75 123 456")]
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "delivered")
    assert row["attempts"][0]["code"] == "unexpected:ValueError"
    assert "DUPONT" not in str(row)
    assert office.remote.seen[1].must_query


async def test_an_attempt_that_never_ends_is_cut_and_counts_as_ambiguous(office):
    office.channels = [Channel("dmp.publish", "dmp", attempt_timeout_seconds=0.1, retry=office.channels[0].retry)]
    office.remote.gate = asyncio.Event()
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "unknown")
        office.remote.gate.set()
        row = await office.reaches("k1", "delivered")
    assert row["attempts"][0]["code"] == "attempt_timeout"
    assert office.remote.accepted == {"k1": 1}


async def test_a_permanent_refusal_is_never_tried_again_and_says_who_must_act(office):
    office.remote.script = [Outcome.permanent("XDSPatientIdDoesNotMatch", WhoMustAct.SECRETARY)]
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "rejected")
        await office.schedule("k2")
        await office.reaches("k2", "delivered")
    assert [delivery.key for delivery in office.remote.seen] == ["k1", "k2"]
    assert (row["code"], row["who_must_act"]) == ("XDSPatientIdDoesNotMatch", "secretary")
    assert office.remote.settled[0][1].error_class is ErrorClass.PERMANENT


async def test_it_is_given_up_after_72_hours_with_an_operator_notice(office, noon):
    office.clock = noon
    office.channels = [Channel("dmp.publish", "dmp", retry=RetryPolicy())]
    office.remote.script = [Outcome.transient("http_503") for _ in range(500)]
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "retry_scheduled")
        tried = 1
        while (row := await office.row("k1")) is not None and row["state"] != "failed":
            noon.advance(timedelta(hours=1, minutes=1))
            tried += 1
            row = await until(lambda tried=tried: _after(office, tried))
    assert row["finished_at"] - row["first_attempt_at"] >= timedelta(hours=72)
    assert row["finished_at"] - row["first_attempt_at"] < timedelta(hours=74)
    assert len(row["attempts"]) == 50, "the history is capped"
    assert row["attempt"] == tried
    assert row["who_must_act"] == "operator"
    assert office.remote.settled[0][1].error_class is ErrorClass.EXHAUSTED
    assert await office.notices() == ["delivery_failed"]


async def _after(office, tried):
    row = await office.row("k1")
    waits = row["state"] == "retry_scheduled" and row["attempt"] == tried
    return row if waits or row["state"] == "failed" else None


async def test_it_does_not_leave_before_its_time(office, noon):
    office.clock = noon
    await office.schedule("later", not_before=noon.now() + timedelta(hours=2))
    await office.schedule("now")
    async with office.at_work():
        await office.reaches("now", "delivered")
        assert (await office.row("later"))["state"] == "scheduled"
        noon.advance(timedelta(hours=2))
        await office.reaches("later", "delivered")


async def test_when_settle_fails_the_end_is_not_written_and_the_remote_is_asked_before_anything_is_sent(office):
    refuse_once = [True]
    settle = office.remote.settle

    async def failing(delivery, outcome, uow):
        await settle(delivery, outcome, uow)
        if refuse_once:
            refuse_once.clear()
            raise KeyError("Marie")

    office.remote.settle = failing
    await office.schedule("k1")
    async with office.at_work():
        row = await office.reaches("k1", "delivered")
    assert [entry["code"] for entry in row["attempts"]] == ["settle:KeyError", "ok"]
    assert office.remote.seen[1].must_query
    assert await office.database["settled"].count_documents({}) == 1


async def test_a_cancelled_delivery_ends_without_being_attempted_even_while_its_endpoint_is_down(office):
    await office.database["delivery_endpoints"].insert_one(
        {"_id": "dmp", "failures": 3, "open": True, "outage": 1, "probes": 0, "opened_at": office.clock.now()}
    )
    await office.schedule("k1", "k2", group="r1")

    async def cancel(uow):
        return await uow.cancel("dmp.publish", "k1", "withdrawn"), await uow.cancel("dmp.publish", "no", "withdrawn")

    assert await office.transact(cancel) == (True, False)
    async with office.at_work():
        row = await office.reaches("k1", "cancelled")
    assert office.remote.seen == []
    assert row["code"] == "withdrawn"
    assert office.remote.settled[0][1].error_class is ErrorClass.CANCELLED
    assert (await office.row("k2"))["lane"] == "dmp.publish", "the next of the group may go"


async def test_a_cancellation_during_the_attempt_stops_the_next_one(office):
    office.remote.gate = asyncio.Event()
    office.remote.script = [Outcome.transient("http_503")]
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "in_progress")
        await office.transact(lambda uow: uow.cancel("dmp.publish", "k1", "withdrawn"))
        office.remote.gate.set()
        row = await office.reaches("k1", "cancelled")
    assert [entry["code"] for entry in row["attempts"]] == ["http_503"]
    assert len(office.remote.seen) == 1


async def test_cancelled_while_its_answer_was_lost_it_may_be_there_and_says_so(office):
    office.remote.gate = asyncio.Event()
    office.remote.script = [Outcome.ambiguous("timeout")]
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "in_progress")
        await office.transact(lambda uow: uow.cancel("dmp.publish", "k1", "withdrawn"))
        office.remote.gate.set()
        row = await office.reaches("k1", "cancelled")
    assert [delivery.must_query for delivery in office.remote.ended] == [True], "settle is told"
    assert row["must_query"], "and so is a replay"


def test_an_outcome_code_is_a_word_not_a_sentence():
    with pytest.raises(ValueError, match="outcome code") as refused:
        Outcome.transient("Patient DUPONT inconnu")
    assert "DUPONT" not in str(refused.value)
