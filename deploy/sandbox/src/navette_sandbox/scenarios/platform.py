"""The scenario of a site in a hospital: its reports go by the platform of the hospital, and by nothing else."""

from __future__ import annotations

import asyncio

from navette_sandbox.scenarios.plays import qualified
from navette_sandbox.scenarios.stage import Journey, Stage, line
from navette_sandbox.verify.versions import Turn


async def play_p(stage: Stage) -> None:
    """One report is corrected, the other withdrawn; what the platform says of both comes back by receipts."""
    stage.say("p · a site in a hospital: its reports go by the hospital's platform (HL7 v2), and by nothing else")
    texts = await qualified(stage, "p")
    corrected, withdrawn = await asyncio.gather(*(stage.sign(text, by_platform=True) for text in texts))
    await stage.wait([corrected, withdrawn], _integrated, "scenario p: integrated, deposited and mailed")
    carriers = {found["carrier"] for found in corrected.journey["lines"] if found["channel"] != "platform"}
    stage.observe(
        "le parcours dit que la plateforme porte le DMP et les courriels",
        carriers == {line(corrected.journey, "platform")["recipient"]},
        ", ".join(map(str, carriers)),
    )
    corrected.turn, withdrawn.turn = Turn.REPLACED, Turn.WITHDRAWN
    await stage.radiologist.replace(corrected.report_id, 1, corrected.content(corrected=True))
    await stage.radiologist.withdraw(withdrawn.report_id, "Examen d'un autre patient")
    await stage.wait(
        [corrected],
        lambda journey: journey["report"]["version"] == 2 and _integrated(journey),
        "scenario p: second version integrated",
    )
    await stage.wait([withdrawn], _taken_back, "scenario p: deleted by the platform")


def _integrated(journey: Journey) -> bool:
    """Whether every line of the version in force says what only a receipt can: deposited, in the mailbox."""
    found = [one for one in journey["lines"] if one["kind"] == "report"]
    return len(found) == 4 and all(one["state"] in {"delivered", "read"} for one in found)


def _taken_back(journey: Journey) -> bool:
    found = [one for one in journey["lines"] if one["kind"] == "withdrawal"]
    return len(found) == 4 and all(one["state"] == "delivered" for one in found)
