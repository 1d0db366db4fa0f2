"""An endpoint that does not answer: no hammering, one notice at the start, one at the end, nothing lost."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from navette_chassis.deliveries import BreakerPolicy, Channel, Outcome
from navette_chassis.testing import until

QUICK = BreakerPolicy(failures=3, probe_after_seconds=0.2, probe_cap_seconds=0.4)
SLOW = BreakerPolicy(failures=3, probe_after_seconds=2.0, probe_cap_seconds=2.0)


class Outage:
    """Wraps the remote's attempt: nobody answers while ``down``."""

    def __init__(self, office, breaker=QUICK) -> None:
        self.down = True
        self.called_at = []
        self._attempt = office.remote.attempt
        office.remote.attempt = self.attempt
        office.channels = [
            Channel("dmp.publish", "dmp", retry=office.channels[0].retry, breaker=breaker),
            Channel("dmp.withdraw", "dmp", retry=office.channels[0].retry, breaker=breaker),
        ]

    @property
    def calls(self) -> int:
        return len(self.called_at)

    async def attempt(self, delivery):
        if self.down:
            self.called_at.append(asyncio.get_running_loop().time())
            return Outcome.transient("connection_refused", endpoint_down=True)
        return await self._attempt(delivery)


async def is_open(office):
    return (await office.database["delivery_endpoints"].find_one({"_id": "dmp"}) or {}).get("open")


async def test_an_outage_has_one_notice_at_its_start_and_one_at_its_end_with_several_workers_and_restarts(office):
    outage = Outage(office)
    await office.schedule(*(f"k{number}" for number in range(30)))
    await office.schedule("w1", channel="dmp.withdraw")
    async with office.at_work(workers=3):
        await until(lambda: is_open(office))
        opened_after = outage.calls
        await until(lambda: outage.calls >= opened_after + 2)
    async with office.at_work(workers=2):  # restarted in the middle of the outage
        resumed_at = outage.calls
        await until(lambda: outage.calls > resumed_at)
        assert await office.notices() == ["outage_started"]
        outage.down = False
        await until(lambda: len(office.remote.accepted) == 31)
    assert await office.notices() == ["outage_started", "outage_ended"]
    assert set(office.remote.accepted.values()) == {1}


async def test_while_it_is_down_only_probes_go_out(office):
    outage = Outage(office, SLOW)
    await office.schedule(*(f"k{number}" for number in range(30)))
    to_open = 3 + 3  # failures to open, those in flight then
    async with office.at_work():
        await until(lambda: outage.calls >= to_open + 2)
    probes = outage.called_at[to_open:]
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(probes)), "at least half of two seconds apart"
    untouched = await office.database["deliveries"].count_documents({"attempt": 0})
    assert untouched >= 15, "waiting deliveries do not burn their attempts"


async def test_a_second_outage_has_notices_of_its_own(office):
    outage = Outage(office)
    for number in (1, 2):
        outage.down = True
        await office.schedule(f"a{number}", f"b{number}", f"c{number}")
        async with office.at_work():
            await until(lambda: is_open(office))
            outage.down = False
            await until(lambda number=number: len(office.remote.accepted) == 3 * number)
    assert await office.notices() == ["outage_started", "outage_ended"] * 2


async def test_a_single_waiting_delivery_is_enough_to_notice_an_outage_and_its_end(office):
    outage = Outage(office)
    await office.schedule("k1")
    async with office.at_work():
        await until(lambda: is_open(office))
        outage.down = False
        await office.reaches("k1", "delivered")
    assert await office.notices() == ["outage_started", "outage_ended"]


async def test_refusals_are_answers_and_never_open_the_breaker(office):
    Outage(office).down = False
    office.remote.script = [Outcome.transient("http_500") for _ in range(10)]
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "delivered")
    assert await office.notices() == []


async def test_failures_that_are_not_in_a_row_never_open_the_breaker(office):
    Outage(office).down = False
    office.channels = [Channel("dmp.publish", "dmp", max_in_flight=1, retry=office.channels[0].retry, breaker=QUICK)]
    down = Outcome.transient("connection_refused", endpoint_down=True)
    office.remote.script = [down, down, Outcome.transient("http_500")] * 3
    await office.schedule("k1")
    async with office.at_work():
        await office.reaches("k1", "delivered")
    assert await office.notices() == []
