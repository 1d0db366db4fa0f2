"""The whole platform, in real processes, on each broker: the whole way, outages, kill -9 at random points.

`NAVETTE_TEST_KILLS` (default 6) is the number of random kills, `NAVETTE_TEST_SEED` draws other moments and victims.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from navette_sandbox import probes
from navette_sandbox.layout import SERVICES
from navette_sandbox.ports import wait_until
from navette_sandbox.scenarios.artefacts import read_mailboxes
from navette_sandbox.scenarios.catalogue import ReportText, reports
from navette_sandbox.scenarios.client import PlatformError, arrived
from navette_sandbox.scenarios.outages import play_c, play_d
from navette_sandbox.scenarios.plays import play_b, release_b
from navette_sandbox.scenarios.stage import Played, Stage
from navette_sandbox.scenarios.verdict import verdict
from navette_sandbox.scenarios.versions import play_versions
from navette_sandbox.verify.submissions import read_submissions

if TYPE_CHECKING:
    from conftest import Ground

pytestmark = [pytest.mark.timeout(900)]

KILLS = int(os.environ.get("NAVETTE_TEST_KILLS", "6"))
SEED = int(os.environ.get("NAVETTE_TEST_SEED", "20261122"))
QUALIFIED = ("P01", "P02", "P03", "P04")


def _texts() -> itertools.cycle[ReportText]:
    """Reports of qualified patients, over and over."""
    return itertools.cycle(text for text in reports() if text.patient in QUALIFIED)


async def _patients(stage: Stage) -> None:
    new = [key for key in QUALIFIED if key not in stage.patient_ids]
    for key in new:
        await stage.register(key)
    await asyncio.gather(*(stage.secretary.qualify(stage.patient_ids[key]) for key in new))


async def _sign_patiently(stage: Stage, text: ReportText) -> Played:
    """Sign as a user would while services come and go: try again, and take "already signed" for done."""
    played = stage.prepare(text)
    deadline = time.monotonic() + 240
    while True:
        try:
            if not played.report_id:
                await stage.draft(played)
            await stage.radiologist.sign(played.report_id)
        except (PlatformError, httpx.TransportError) as error:
            if "answered 409" in str(error):
                return played
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return played


async def _verify(stage: Stage) -> None:
    """Everything signed on this sandbox so far was delivered once, and is what was signed."""
    layout = stage.sandbox.layout
    found = verdict(
        stage.played,
        read_submissions(layout.received("dmp") / "submissions"),
        read_mailboxes(layout.received("mss")),
        await stage.state("dmp", "documents"),
    )
    broken = [f"{check.what} – {check.detail}" for check in found.checks if not check.held]
    assert not broken, "\n".join(broken)


def _observed(stage: Stage) -> None:
    broken = [f"{what} – {detail}" for what, held, detail in stage.observations if not held]
    assert not broken, "\n".join(broken)


async def test_a_signed_report_reaches_the_dmp_the_requester_and_the_patient(stage: Stage) -> None:
    await _patients(stage)
    texts = _texts()
    chosen = [await stage.sign(next(texts)) for _each in range(2)]
    await stage.wait(chosen, arrived, "all lines arrived")
    pdf = await stage.radiologist.get_bytes("report", f"/reports/{chosen[0].report_id}/document.pdf")
    assert pdf.startswith(b"%PDF-")
    page = await stage.radiologist.get_bytes("report", "/pages/journey")
    assert chosen[0].text.title.encode() in page
    await _verify(stage)


@pytest.mark.conformance
def test_every_document_that_left_passes_the_rules_of_the_ans(ground: Ground, tmp_path: Path) -> None:
    conformance = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")).resolve()
    if not (conformance / "validate_cda.py").exists():
        pytest.skip("NAVETTE_CONFORMANCE_DIR does not name the conformance data")
    documents = read_submissions(ground.sandbox.layout.received("dmp") / "submissions")
    files = [tmp_path / f"{number:02d}.xml" for number in range(len(documents))]
    for file, document in zip(files, documents, strict=True):
        file.write_bytes(document.content)
    command = [sys.executable, str(conformance / "validate_cda.py"), "--lint-fails", *map(str, files)]
    validated = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert validated.returncode == 0, validated.stdout[-3000:]
    assert validated.stdout.strip().endswith(f"{len(files)} passed, 0 failed")
    assert files


@pytest.mark.dsr("RIS.INS.37")
async def test_without_a_qualified_identity_only_the_requester_receives_until_it_is_qualified(
    stage: Stage,
) -> None:
    chosen = await play_b(stage)
    _observed(stage)
    await release_b(stage, chosen)
    await _verify(stage)


async def test_an_outage_of_the_dmp_is_told_once_and_outlived(stage: Stage) -> None:
    await play_c(stage)
    _observed(stage)
    await _verify(stage)


@pytest.mark.dsr("RIS.CRR.03")
@pytest.mark.dsr("RIS.DMP.02")
@pytest.mark.dsr("RIS.MSS.15")
@pytest.mark.dsr("RIS.MSS.16")
async def test_reports_are_announced_replaced_and_withdrawn_wherever_they_went(stage: Stage) -> None:
    await play_versions(stage)
    _observed(stage)
    await _verify(stage)


async def test_an_answer_of_the_dmp_that_is_lost_makes_no_second_document(stage: Stage) -> None:
    await play_d(stage)
    _observed(stage)
    await _verify(stage)


async def test_the_broker_gone_for_a_while_loses_nothing_and_needs_no_hand(stage: Stage) -> None:
    await _patients(stage)
    broker, layout = stage.sandbox.broker, stage.sandbox.layout
    texts = _texts()
    # Tansu keeps messages in memory only: it is frozen where Kafka is stopped.
    await asyncio.to_thread(broker.stop if broker.durable else broker.pause)
    try:
        chosen = [await stage.sign(next(texts)) for _each in range(3)]
        noticed = await asyncio.to_thread(
            wait_until, lambda: not probes.service_ready(layout, "report")(), seconds=60, every=0.5
        )
        assert noticed, "report says it is ready without a broker"
        await stage.refresh()
        assert not any(arrived(one.journey) for one in chosen)
    finally:
        await asyncio.to_thread(broker.start if broker.durable else broker.resume)
    await stage.wait(chosen, arrived, "all lines arrived after the broker came back", seconds=240)
    await _verify(stage)


async def test_the_database_killed_and_back_loses_nothing_and_needs_no_hand(stage: Stage) -> None:
    await _patients(stage)
    texts = _texts()
    chosen = [await stage.sign(next(texts)) for _each in range(3)]
    await asyncio.to_thread(stage.sandbox.kill, "database")
    waiting = asyncio.create_task(_sign_patiently(stage, next(texts)))
    noticed = await asyncio.to_thread(
        wait_until,
        lambda: not probes.service_ready(stage.sandbox.layout, "report")(),
        seconds=60,
        every=0.5,
    )
    assert noticed, "report says it is ready without a database"
    await asyncio.to_thread(stage.sandbox.start, "database")
    chosen.append(await waiting)
    await stage.wait(chosen, arrived, "all lines arrived after the database came back", seconds=240)
    await _verify(stage)


async def test_processes_killed_at_random_points_lose_nothing_and_send_nothing_twice(stage: Stage) -> None:
    await _patients(stage)
    chance = random.Random(SEED)
    print(f"{KILLS} kills, NAVETTE_TEST_SEED={SEED}")
    texts = _texts()
    ended = asyncio.Event()
    chosen: list[Played] = []

    async def flow() -> None:
        while not ended.is_set() or len(chosen) < 4:
            chosen.append(await _sign_patiently(stage, next(texts)))
            await asyncio.sleep(chance.uniform(0.0, 0.6))

    flowing = asyncio.create_task(flow())
    try:
        for _each in range(KILLS):
            victim = chance.choice(SERVICES)
            # The random point: this sleep chooses where in its work the victim dies.
            await asyncio.sleep(chance.uniform(0.05, 1.5))
            await asyncio.to_thread(stage.sandbox.kill, victim)
            await asyncio.to_thread(stage.sandbox.start, victim)
    finally:
        ended.set()
        await flowing
    await stage.wait(chosen, arrived, f"all lines arrived (seed {SEED})", seconds=300)
    await _verify(stage)
