"""The whole way on the sandbox: latency of one report, sustained rate, memory of idle services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from navette_sandbox import group
from navette_sandbox.layout import SERVICES
from navette_sandbox.scenarios.catalogue import reports
from navette_sandbox.scenarios.client import Radiologist, Secretary, poll
from navette_sandbox.scenarios.stage import Played, Stage
from navette_sandbox.supervisor import Sandbox

from tests.bench.floors import broker_hop, transaction
from tests.bench.table import Row, milliseconds, percentile

IDLE_REPORTS = 40
SUSTAINED_REPORTS = 200
AT_ONCE = 8
HOPS, TRANSACTIONS = 2, 5
"""Least of the way: two messages; signing, composing, two schedulings and one outcome, each a transaction."""


async def measure(sandbox: Sandbox) -> list[Row]:
    """Rows of the whole way, on a sandbox that is running."""
    memory = _memory(sandbox)
    async with (
        Secretary(sandbox.layout, group.SECRETARY["rpps"]) as secretary,
        Radiologist(sandbox.layout, group.RADIOLOGIST["rpps"]) as radiologist,
    ):
        stage = Stage(sandbox, secretary, radiologist, lambda _line: None)
        texts = [text for text in reports() if text.scenario == "a"]
        for text in texts:
            await stage.register(text.patient)
        await asyncio.gather(*(secretary.qualify(patient) for patient in stage.patient_ids.values()))
        idle = []
        for number in range(IDLE_REPORTS + 5):
            before = await _arrivals(stage)
            played = await stage.sign(texts[number % len(texts)])
            latency = await _all_arrived(stage, before, 1) - await _signed_at(stage, played)
            if number >= 5:  # the first ones warm connections and caches
                idle.append(latency)
        rate = await _sustained(stage, texts)
    floor = HOPS * await broker_hop(sandbox.broker) + TRANSACTIONS * await transaction(sandbox.database.uri)
    return [_idle_row(idle, floor), rate, memory]


def _idle_row(idle: Sequence[float], floor: float) -> Row:
    p50, p99 = percentile(idle, 0.5), percentile(idle, 0.99)
    return Row(
        "signed → DMP accepted and both mails accepted, idle, p50 / p99",
        "≤ 150 ms / ≤ 500 ms",
        f"{milliseconds(p50)} / {milliseconds(p99)}",
        f"{milliseconds(floor)} (two bare messages, five bare transactions)",
        f"{p50 / floor:.1f}×",
    )


async def _sustained(stage: Stage, texts: Sequence[Any]) -> Row:
    queue = iter(range(SUSTAINED_REPORTS))
    before = await _arrivals(stage)
    started = time.time()

    async def radiologist() -> None:
        for number in queue:
            await stage.sign(texts[number % len(texts)])

    await asyncio.gather(*(radiologist() for _ in range(AT_ONCE)))
    signing = time.time() - started
    seconds = await _all_arrived(stage, before, SUSTAINED_REPORTS, every=1.0) - started
    return Row(
        f"sustained end to end, {SUSTAINED_REPORTS} reports, all services on the box",
        "≥ 20 reports/s",
        f"{SUSTAINED_REPORTS / seconds:.1f}/s",
        f"{SUSTAINED_REPORTS / signing:.1f}/s (drafting and signing them through the gateway)",
        f"{signing / seconds:.2f}×",
    )


async def _signed_at(stage: Stage, one: Played) -> float:
    return _seconds((await stage.radiologist.get("report", f"/reports/{one.report_id}"))["signed_at"])


async def _arrivals(stage: Stage) -> tuple[list[float], list[float]]:
    """When the doubles accepted each document and each mail, by this machine's clock, oldest first."""
    documents = [_seconds(one["submitted_at"]) for one in await stage.state("dmp", "documents")]
    mailboxes = await stage.state("mss", "mailboxes")
    mails = [
        _seconds(mail["received_at"])
        for address, box in mailboxes.items()
        if address != group.SENDER_MAILBOX
        for mail in box
    ]
    return sorted(documents), sorted(mails)


async def _all_arrived(
    stage: Stage, before: tuple[list[float], list[float]], reports_signed: int, *, every: float = 0.02
) -> float:
    """When the last of one document and two mails per report had been accepted."""
    wanted = (len(before[0]) + reports_signed, len(before[1]) + 2 * reports_signed)

    def complete(found: tuple[list[float], list[float]]) -> bool:
        return len(found[0]) >= wanted[0] and len(found[1]) >= wanted[1]

    found = await poll(lambda: _arrivals(stage), complete, seconds=300, what="accepted everywhere", every=every)
    return max(found[0][-1], found[1][-1])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _memory(sandbox: Sandbox) -> Row:
    used = {name: _resident(sandbox.children[name].pid) for name in SERVICES}
    largest = max(used.values())
    return Row(
        "idle memory per service (resident)",
        "≤ 150 MB",
        ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in used.items()),
        f"{_resident(None):.0f} MB (this Python process with the measuring libraries)",
        f"{largest / max(_resident(None), 1):.1f}×",
    )


def _resident(pid: int | None) -> float:
    status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
