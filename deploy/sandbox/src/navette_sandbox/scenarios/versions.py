"""The scenarios in which a report does not stay as it was signed: announced, replaced, withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from navette_sandbox.scenarios.client import arrived
from navette_sandbox.scenarios.plays import qualified
from navette_sandbox.scenarios.stage import Journey, Played, Stage, line
from navette_sandbox.verify.versions import Turn


async def play_versions(stage: Stage) -> None:
    """All three, side by side."""
    await asyncio.gather(play_f(stage), play_g(stage), play_h(stage))


async def play_f(stage: Stage) -> None:
    """To be announced: the DMP hides it and no mail leaves to the patient; announced: it shows and the mail leaves."""
    stage.say("f · a result to announce: invisible to the patient, no mail to the patient")
    (text,) = await qualified(stage, "f")
    one = await stage.sign(text, choices={"announcement_needed": True})

    def held_back(journey: Journey) -> bool:
        patient = line(journey, "mss", "patient")
        served = [line(journey, "dmp").get("state"), line(journey, "mss", "requester").get("state")]
        return patient.get("reason") == "announcement_needed" and set(served) <= {"sent", "delivered"}

    await stage.wait([one], held_back, "scenario f: held back from the patient")
    entry = await _entry(stage, one)
    stage.observe(
        "before the announcement the DMP hides the report from the patient",
        "INVISIBLE_PATIENT" in entry.get("confidentiality", []),
        ", ".join(entry.get("confidentiality", [])),
    )
    stage.observe("before the announcement no mail left to the patient", not await _mailed(stage, one, entry))
    stage.say("f · the announcement is recorded: one act releases DMP and mail")
    one.turn = Turn.ANNOUNCED
    await stage.radiologist.announce(one.report_id)
    await stage.wait(
        [one],
        lambda journey: arrived(journey) and any(found["kind"] == "release" for found in journey["lines"]),
        "scenario f: released",
    )


async def play_g(stage: Stage) -> None:
    """A corrected version annuls and replaces the first one everywhere it went."""
    stage.say("g · a report is corrected after it was sent: the new version replaces the first everywhere")
    (text,) = await qualified(stage, "g")
    one = await stage.sign(text)
    await stage.wait([one], arrived, "scenario g: first version arrived")
    one.turn = Turn.REPLACED
    await stage.radiologist.replace(one.report_id, 1, one.content(corrected=True))
    await stage.wait(
        [one],
        lambda journey: journey["report"]["state"] == "composed" and _version(journey) == 2 and arrived(journey),
        "scenario g: second version arrived",
    )


async def play_h(stage: Stage) -> None:
    """Signed for the wrong patient: deleted in the DMP, and those who received it are told."""
    stage.say("h · a report written for the wrong patient is withdrawn")
    (text,) = await qualified(stage, "h")
    one = await stage.sign(text)
    await stage.wait([one], arrived, "scenario h: arrived")
    one.turn = Turn.WITHDRAWN
    await stage.radiologist.withdraw(one.report_id, "Examen d'un autre patient")

    def taken_back(journey: Journey) -> bool:
        told = [found for found in journey["lines"] if found["kind"] == "withdrawal"]
        return len(told) == 3 and all(found["state"] in {"sent", "delivered"} for found in told)

    await stage.wait([one], taken_back, "scenario h: withdrawn everywhere")


def _version(journey: Journey) -> int:
    return int(journey["report"]["version"])


async def _entry(stage: Stage, one: Played) -> dict[str, Any]:
    """The entry of the DMP for the last document of a report."""
    wanted = one.journey["report"]["editions"][-1]["unique_id"]
    entries = await stage.state("dmp", "documents")
    return next((dict(entry) for entry in entries if entry["unique_id"] == wanted), {})


async def _mailed(stage: Stage, one: Played, entry: Mapping[str, Any]) -> bool:
    """Whether the patient's mailbox got anything since the report was in the DMP."""
    boxes = await stage.state("mss", "mailboxes")
    since = datetime.fromisoformat(str(entry["submitted_at"]))
    mails = boxes.get(one.signed().patient.lower(), [])
    return any(datetime.fromisoformat(str(mail["received_at"])) >= since for mail in mails)
