"""The scenarios of things that break: an outage, a lost answer, killed services."""

from __future__ import annotations

import asyncio
import time

import httpx

from navette_sandbox.scenarios.client import arrived, poll
from navette_sandbox.scenarios.plays import qualified
from navette_sandbox.scenarios.stage import Journey, Stage

OUTAGE_SECONDS = 20.0
"""The least an outage lasts: it ends once the mails have left and the outage was noticed."""


async def play_c(stage: Stage) -> None:
    """The DMP is down for a while: delivered after, one notice at the start and one at the end, nothing twice."""
    stage.say(f"c · the DMP is down for {OUTAGE_SECONDS:.0f} s or more while two reports are signed")
    texts = await qualified(stage, "c")
    before = {one["id"] for one in await stage.radiologist.notices("dmp")}
    documents = len(await stage.state("dmp", "documents"))
    await stage.fault("dmp", kind="down")
    started = time.monotonic()
    chosen = list(await asyncio.gather(*(stage.sign(text) for text in texts)))

    def mailed(journey: Journey) -> bool:
        mails = [one for one in journey["lines"] if one["channel"] == "mss"]
        return bool(mails) and all(one["state"] in {"sent", "delivered", "read"} for one in mails)

    await stage.wait(chosen, mailed, "scenario c: mails do not wait for the DMP")
    stage.observe(
        "les courriels partent pendant l’interruption du DMP", not any(arrived(one.journey) for one in chosen)
    )
    await _notices(stage, before, 1)
    await asyncio.sleep(max(0.0, started + OUTAGE_SECONDS - time.monotonic()))
    stage.observe("le DMP n’a reçu qu’après l’interruption", len(await stage.state("dmp", "documents")) == documents)
    await stage.heal("dmp")
    await stage.wait(chosen, arrived, "scenario c: delivered after the outage")
    kinds = await _notices(stage, before, 2)
    stage.observe(
        "un avis au début de l’interruption, un à la fin",
        kinds == ["outage_started", "outage_ended"],
        ", ".join(kinds),
    )


async def _notices(stage: Stage, before: set[str], count: int) -> list[str]:
    """Wait for that many notices given since `before`."""
    return await poll(
        lambda: _new_notices(stage, before),
        lambda found: len(found) >= count,
        seconds=90,
        what="scenario c: notices of the outage",
    )


async def _new_notices(stage: Stage, before: set[str]) -> list[str]:
    found = [one for one in await stage.radiologist.notices("dmp") if one["id"] not in before]
    return [str(one["kind"]) for one in sorted(found, key=lambda one: str(one["at"]))]


async def play_d(stage: Stage) -> None:
    """The DMP accepts but its answer is lost: the document is there once."""
    stage.say("d · the DMP stores the document but its answer is lost")
    texts = await qualified(stage, "d")
    await stage.fault("dmp", kind="lost_answer", target="provide", count=1)
    chosen = [await stage.sign(text) for text in texts]
    await stage.wait(chosen, arrived, "scenario d: the document is found, not sent again")
    async with httpx.AsyncClient() as http:
        faults = (await http.get(f"{stage.sandbox.layout.control_url('dmp')}/faults")).json()
    lost = [one for one in faults if one["kind"] == "lost_answer"]
    stage.observe("la réponse du DMP a bien été perdue", bool(lost) and lost[-1]["hits"] == 1)


async def play_e(stage: Stage) -> None:
    """`dmp`, `mss`, then `report` are killed with SIGKILL while reports flow."""
    stage.say("e · dmp, mss, then report are killed (SIGKILL) while reports flow")
    texts = await qualified(stage, "e")
    chosen = []
    for text, victim in zip(texts, ("dmp", "mss", "report"), strict=True):
        chosen.append(await stage.sign(text))
        pid = stage.sandbox.children[victim].pid
        await asyncio.to_thread(stage.sandbox.kill, victim)
        await asyncio.to_thread(stage.sandbox.start, victim)
        stage.observe(
            f"{victim} a été tué (SIGKILL) puis est revenu", stage.sandbox.children[victim].pid not in {pid, None}
        )
    await stage.wait(chosen, arrived, "scenario e: nothing lost")
