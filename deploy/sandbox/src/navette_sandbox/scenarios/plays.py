"""The five scenarios, played as users and operators would live them."""

from __future__ import annotations

import asyncio
import time

import httpx

from navette_sandbox.scenarios.catalogue import ReportText
from navette_sandbox.scenarios.client import arrived, poll
from navette_sandbox.scenarios.stage import Journey, Played, Stage, line, of_scenario
from navette_sandbox.verify.leaks import Detector

OUTAGE_SECONDS = 20.0


async def _qualified(stage: Stage, letter: str) -> list[ReportText]:
    texts = of_scenario(letter)
    new = [text.patient for text in texts if text.patient not in stage.patient_ids]
    for key in new:
        await stage.register(key)
    await asyncio.gather(*(stage.secretary.qualify(stage.patient_ids[key]) for key in new))
    return texts


async def play_a(stage: Stage) -> None:
    """Qualified patients: DMP, requester and patient, all accepted."""
    stage.say("a · six signed reports of qualified patients: DMP, requester and patient")
    texts = await _qualified(stage, "a")
    chosen = list(await asyncio.gather(*(stage.sign(text) for text in texts)))
    await stage.wait(chosen, arrived, "scenario a: all lines arrived")


async def play_b(stage: Stage) -> list[Played]:
    """Identity not qualified: the requester only, with the reason; later the waiting lines release themselves."""
    stage.say("b · identities not qualified yet: only the requester receives, without INS")
    texts = of_scenario("b")
    for text in texts:
        await stage.register(text.patient)
    # One identity was checked but never searched in INSi, the other neither checked nor searched.
    await stage.secretary.check_identity(stage.patient_ids[texts[0].patient])
    chosen = [await stage.sign(text, late=True) for text in texts]

    def held_back(journey: Journey) -> bool:
        waiting = [line(journey, "dmp"), line(journey, "mss", "patient")]
        return line(journey, "mss", "requester").get("state") in {"sent", "delivered"} and all(
            one.get("state") == "waiting" and one.get("reason") == "ins_not_qualified" for one in waiting
        )

    await stage.wait(chosen, held_back, "scenario b: requester served, the others waiting for the INS")
    directory = stage.sandbox.layout.directory
    secrets = {one.text.key: one.patient.matricule[:13] for one in chosen}
    places = [directory / name for name in ("received", "logs", "broker", "config")]
    leaks = await asyncio.to_thread(Detector(secrets).scan_files, places, directory)
    stage.observe(
        "aucun matricule nulle part avant la qualification : courriels, DMP, courtier, journaux",
        not leaks,
        "; ".join(map(str, leaks[:3])),
    )
    first = chosen[0].journey
    stage.observe(
        "le parcours dit pourquoi le compte rendu attend et qui doit agir",
        bool(line(first, "dmp")["reason_label"]) and line(first, "dmp")["who_must_act"] == "secretary",
        line(first, "dmp")["reason_label"],
    )
    return chosen


async def release_b(stage: Stage, chosen: list[Played]) -> None:
    """The identities become qualified; nobody touches the reports."""
    stage.say("b · the identities become qualified: the waiting lines release themselves")
    first, second = chosen
    await stage.secretary.search_ins(first.patient_id)
    await asyncio.gather(
        stage.secretary.wait_status(first.patient_id, "qualifiee"), stage.secretary.qualify(second.patient_id)
    )
    await stage.wait(chosen, arrived, "scenario b: waiting lines released")


async def play_c(stage: Stage) -> None:
    """The DMP is down for 20 s: delivered after, one notice at the start and one at the end, nothing twice."""
    stage.say(f"c · the DMP is down for {OUTAGE_SECONDS:.0f} s while two reports are signed")
    texts = await _qualified(stage, "c")
    before = {one["id"] for one in await stage.radiologist.notices("dmp")}
    documents = len(await stage.state("dmp", "documents"))
    await stage.fault("dmp", kind="down", seconds=OUTAGE_SECONDS)
    started = time.monotonic()
    chosen = list(await asyncio.gather(*(stage.sign(text) for text in texts)))

    def mailed(journey: Journey) -> bool:
        mails = [one for one in journey["lines"] if one["channel"] == "mss"]
        return bool(mails) and all(one["state"] in {"sent", "delivered", "read"} for one in mails)

    await stage.wait(chosen, mailed, "scenario c: mails do not wait for the DMP", seconds=OUTAGE_SECONDS)
    stage.observe(
        "les courriels partent pendant l’interruption du DMP",
        time.monotonic() - started < OUTAGE_SECONDS and len(await stage.state("dmp", "documents")) == documents,
    )
    await stage.wait(chosen, arrived, "scenario c: delivered after the outage")
    stage.observe("le DMP n’a reçu qu’après l’interruption", time.monotonic() - started >= OUTAGE_SECONDS)
    kinds = await poll(
        lambda: _new_notices(stage, before),
        lambda found: len(found) >= 2,
        seconds=10,
        what="scenario c: notices of the outage",
    )
    stage.observe(
        "un avis au début de l’interruption, un à la fin",
        kinds == ["outage_started", "outage_ended"],
        ", ".join(kinds),
    )


async def _new_notices(stage: Stage, before: set[str]) -> list[str]:
    found = [one for one in await stage.radiologist.notices("dmp") if one["id"] not in before]
    return [str(one["kind"]) for one in sorted(found, key=lambda one: str(one["at"]))]


async def play_d(stage: Stage) -> None:
    """The DMP accepts but its answer is lost: the document is there once."""
    stage.say("d · the DMP stores the document but its answer is lost")
    texts = await _qualified(stage, "d")
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
    texts = await _qualified(stage, "e")
    chosen = []
    for text, victim in zip(texts, ("dmp", "mss", "report"), strict=True):
        chosen.append(await stage.sign(text))
        pid = stage.sandbox.children[victim].pid
        await asyncio.to_thread(stage.sandbox.kill, victim)
        await asyncio.to_thread(stage.sandbox.start, victim)
        stage.observe(
            f"{victim} a été tué (SIGKILL) puis est revenu", stage.sandbox.children[victim].pid not in {pid, None}
        )
    await stage.wait(chosen, arrived, "scenario e: nothing lost", seconds=90)


async def play_all(stage: Stage) -> None:
    """All five scenarios.

    Raises:
        PlatformError: something did not arrive in time.
    """
    await play_a(stage)
    waiting = await play_b(stage)
    await release_b(stage, waiting)
    await play_c(stage)
    await play_d(stage)
    await play_e(stage)
