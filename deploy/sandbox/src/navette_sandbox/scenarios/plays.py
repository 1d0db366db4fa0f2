"""The scenarios of an ordinary day: qualified patients, and an identity that becomes qualified later."""

from __future__ import annotations

import asyncio

from navette_sandbox.scenarios.catalogue import ReportText
from navette_sandbox.scenarios.client import arrived
from navette_sandbox.scenarios.stage import Journey, Played, Stage, line, of_scenario
from navette_sandbox.verify.leaks import Detector


async def qualified(stage: Stage, letter: str) -> list[ReportText]:
    """The reports of a scenario, once their patients are registered and qualified."""
    texts = of_scenario(letter)
    new = [text.patient for text in texts if text.patient not in stage.patient_ids]
    for key in new:
        await stage.register(key)
    await asyncio.gather(*(stage.secretary.qualify(stage.patient_ids[key]) for key in new))
    return texts


async def play_a(stage: Stage) -> None:
    """Qualified patients: DMP, requester and patient, all accepted."""
    stage.say("a · six signed reports of qualified patients: DMP, requester and patient")
    texts = await qualified(stage, "a")
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
