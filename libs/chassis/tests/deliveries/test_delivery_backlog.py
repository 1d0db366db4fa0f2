"""Ten thousand deliveries waiting after an outage: the claim must not slow down with them."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from navette_chassis.deliveries import Channel
from navette_chassis.deliveries.dispatcher import WINDOW
from navette_chassis.deliveries.rows import OPEN, new_row, placing
from navette_chassis.origin import Origin
from navette_chassis.testing import until

WAITING = 10_000


async def fill(office: Any) -> None:
    now = office.clock.now()
    rows = []
    for number in range(WAITING):
        payload = {"report_id": f"r{number}", "version": 1}
        row = new_row(
            "dmp.publish",
            key=f"k{number}",
            group=f"g{number}",
            payload=payload,
            not_before=None,
            now=now,
            origin=Origin("c"),
            traceparent=None,
        )
        rows.append(row | {"position": 1} | placing(row, now))
    for start in range(0, WAITING, 1000):
        await office.database[OPEN].insert_many(rows[start : start + 1000])


@pytest.mark.bench
@pytest.mark.timeout(300)
async def test_claiming_and_draining_with_ten_thousand_waiting(office, capsys):
    office.channels = [Channel("dmp.publish", "dmp", max_in_flight=16)]
    await fill(office)
    _, store, _ = office.worker()
    started, claimed = time.perf_counter(), 0
    while claimed < 2 * WINDOW:
        for row in await store.due("dmp.publish", office.clock.now(), WINDOW):
            claimed += await store.claim(row, office.clock.now(), 600.0) is not None
    claims = claimed / (time.perf_counter() - started)

    started = time.perf_counter()
    async with office.at_work():
        await until(lambda: len(office.remote.accepted) >= 1000, seconds=120)
        drained = len(office.remote.accepted) / (time.perf_counter() - started)
    assert set(office.remote.accepted.values()) == {1}
    with capsys.disabled():
        sys.stdout.write(f"\n{WAITING} waiting: {claims:.0f} claims/s, {drained:.0f} deliveries drained/s\n")
