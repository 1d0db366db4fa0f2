"""A morning at the reception: twenty arrivals, what becomes of each identity, and the next act of the secretary."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from navette_sandbox import group
from navette_sandbox.embedded.choice import BrokerChoice
from navette_sandbox.layout import make_layout
from navette_sandbox.scenarios.catalogue import Patient, patients
from navette_sandbox.scenarios.client import PlatformError, Secretary, Supervisor, poll
from navette_sandbox.scenarios.hospital import announce, arrival_message
from navette_sandbox.supervisor import Sandbox

# An identity needs neither reports nor what carries them.
NOT_NEEDED = ("report", "dmp", "mss", "sim-dmp", "sim-mss", "sim-annuaire")

SITE: str = group.SITES[0]["site_id"]
IPP, VENUE = "IPP-CH-0042", "VN-2026-0042"
"""Numbers that the hospital gave to the person it announces, and to the coming."""

_STATUSES = {
    "provisoire": "provisoire",
    "recuperee": "récupérée",
    "validee": "validée",
    "qualifiee": "qualifiée",
}


@dataclass(frozen=True)
class Arrival:
    """One line of `reception.json`: who comes, what is typed otherwise than the national base has it, what must be."""

    who: Patient
    story: str
    document: str | None
    typed: Mapping[str, Any]
    known: bool
    announced: bool
    """Announced by the hospital, over HL7 v2."""
    homonym: bool
    """Looks like somebody who is recorded, and is somebody else."""
    former: str | None
    warning: str | None
    expected: tuple[str, str]

    def traits(self) -> dict[str, Any]:
        """What the secretary types."""
        values: dict[str, Any] = {
            "birth_name": self.who.birth_name,
            "first_birth_given_name": self.who.first_given_name,
            "birth_given_names": self.who.given_names,
            "birth_date": self.who.birth_date,
            "sex": self.who.sex,
            "birth_place_code": self.who.birth_place_code,
        } | dict(self.typed)
        today = datetime.now(UTC).date().isoformat()
        return values | ({"birth_date": today} if values["birth_date"] == "today" else {})


@dataclass(frozen=True)
class Outcome:
    """What became of one arrival."""

    arrival: Arrival
    status: str
    search: str
    """State of the search in INSi, "none" when none was needed, "refused" when none was allowed."""
    next_act: str
    problems: tuple[str, ...]
    """What is not as it must be."""
    patient_id: str = ""


def arrivals() -> Sequence[Arrival]:
    """The twenty arrivals, in order."""
    rows = json.loads((files("navette_sandbox.scenarios") / "reception.json").read_text("utf-8"))["arrivals"]
    return [
        Arrival(
            who=patients()[row["who"]],
            story=row["story"],
            document=row.get("document"),
            typed=row.get("traits", {}),
            known=row.get("known", False),
            announced=row.get("announced", False),
            homonym=row.get("homonym", False),
            former=row.get("former"),
            warning=row.get("warning"),
            expected=(row["expect"][0], row["expect"][1]),
        )
        for row in rows
    ]


async def receive(secretary: Secretary, arrival: Arrival, mllp_port: int) -> Outcome:
    """One person: prior search, record, document, INSi; and what the service says is to be done next."""
    traits, problems = arrival.traits(), []
    if arrival.announced:
        message = arrival_message(arrival.who, IPP, VENUE, now=datetime.now(UTC))
        answer = await announce(mllp_port, message)
        if answer != "AA":
            problems.append(f"the hospital was answered {answer}")
    criteria = {"birth_date": traits["birth_date"], "name": traits["birth_name"][:3]}
    found = (await secretary.post("ins", "/patients/search", criteria))["patients"]
    if bool(found) != (arrival.known or arrival.announced or arrival.homonym):
        problems.append(f"prior search found {len(found)} record(s)")
    if found and arrival.known:
        record = await secretary.get("ins", f"/patients/{found[0]['patient_id']}")
        return _outcome(arrival, record, None, problems)
    if found and arrival.announced:
        patient_id = found[0]["patient_id"]
        problems += await _announced(secretary, found[0])
    else:
        created = await secretary.post("ins", "/patients", {"site_id": SITE} | traits)
        patient_id = created["patient_id"]
    search = await _identified(secretary, arrival, patient_id)
    record = await secretary.get("ins", f"/patients/{patient_id}")
    if arrival.former is not None:
        again = (await secretary.post("ins", "/patients/search", {"matricule": arrival.former}))["patients"]
        if [one["patient_id"] for one in again] != [patient_id]:
            problems.append("the former matricule does not lead to the record")
    return _outcome(arrival, record, search, problems)


async def _announced(secretary: Secretary, found: Mapping[str, Any]) -> list[str]:
    """What the message of the hospital must have left: its number on the record, and a task of the reception."""
    waiting = (await secretary.get("ins", f"/sites/{SITE}/worklists/to_qualify"))["items"]
    problems = [] if found["local_id"] == IPP else ["the record lacks the number of the hospital"]
    if found["patient_id"] not in {one["patient_id"] for one in waiting}:
        problems.append("the person announced is not on the list of the reception")
    return problems


async def _identified(secretary: Secretary, arrival: Arrival, patient_id: str) -> dict[str, Any]:
    """Hold the document if there is one, ask INSi, and wait for what it comes to."""
    if arrival.document is not None:
        await secretary.post("ins", f"/patients/{patient_id}/identity-checks", {"document_kind": arrival.document})
    status, asked = await secretary.attempt("ins", f"/patients/{patient_id}/insi-search")
    if status != 202:
        return {"state": "refused", "state_label": asked.get("detail", "")}
    return await poll(
        lambda: secretary.get("ins", f"/patients/{patient_id}/insi-calls/{asked['call_id']}"),
        lambda answer: answer["state"] != "requested",
        seconds=90,
        what="an answer of INSi",
    )


def _outcome(
    arrival: Arrival, record: Mapping[str, Any], search: Mapping[str, Any] | None, problems: Sequence[str]
) -> Outcome:
    state = "none" if search is None else str(search["state"])
    wrong = _verified(arrival, record, state, problems)
    return Outcome(arrival, record["status"], state, _next_act(record, search), wrong, str(record["patient_id"]))


def _verified(arrival: Arrival, record: Mapping[str, Any], state: str, problems: Sequence[str]) -> tuple[str, ...]:
    """Everything that is not as it must be."""
    found = list(problems)
    if (record["status"], state) != arrival.expected:
        found.append(f"{record['status']}, {state} instead of {', '.join(arrival.expected)}")
    if (record["ins"] is not None) != (record["status"] == "qualifiee"):
        found.append("an INS is shown exactly when the identity is qualified")
    same_person = not {"birth_name", "birth_date"} & arrival.typed.keys()
    if record["ins"] is not None and same_person and record["ins"]["matricule"] != arrival.who.matricule:
        found.append("the matricule is another person's")
    if arrival.warning is not None and arrival.warning not in {one["code"] for one in record["warnings"]}:
        found.append(f"no warning {arrival.warning}")
    return tuple(found)


_CAUSES = frozenset({"used_name_as_birth_name", "newborn"})


def _next_act(record: Mapping[str, Any], search: Mapping[str, Any] | None) -> str:
    """The sentence of the service for whoever must act; warnings first, as they name the cause."""
    if record["status"] == "qualifiee":
        return "Rien à faire : identité qualifiée"
    if record["status"] == "recuperee":
        return "Contrôler une pièce d’identité à haut niveau de confiance"
    causes = [one["message"] for one in record["warnings"] if one["code"] in _CAUSES]
    said = str(search["state_label"]) if search is not None else ""
    return causes[0] if causes else said


async def play_reception(secretary: Secretary, supervisor: Supervisor, mllp_port: int) -> list[Outcome]:
    """All arrivals, one after the other; then the cell decides what the morning left it."""
    outcomes = [await receive(secretary, arrival, mllp_port) for arrival in arrivals()]
    return await part_homonyms(supervisor, outcomes)


async def part_homonyms(supervisor: Supervisor, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The service asks whether two records are one person; the cell says no, and marks both as homonyms."""
    second = next(one for one in outcomes if one.arrival.homonym)
    asked = [one for one in await supervisor.cases() if second.patient_id in one["patient_ids"]]
    problems = [] if [one["kind"] for one in asked] == ["duplicate"] else ["no duplicate was asked about"]
    for case in asked:
        await supervisor.decide(case["case_id"], "dismiss")
        await supervisor.confirm_homonyms(case["patient_ids"])
        for patient_id in case["patient_ids"]:
            record = await supervisor.get("ins", f"/patients/{patient_id}")
            if "homonyme" not in record["attributes"]:
                problems.append("a homonym does not say so")
    told = f"{second.next_act} ; homonymie confirmée par la cellule"
    parted = replace(second, next_act=told, problems=(*second.problems, *problems))
    return [parted if one is second else one for one in outcomes]


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """One row per arrival."""
    table = Table(title="Réception : vingt arrivées", title_justify="left")
    for column in ("", "Personne", "Situation", "Identité", "INSi", "Prochain acte"):
        table.add_column(column)
    for number, one in enumerate(outcomes, start=1):
        traits = one.arrival.traits()
        person = f"{traits['birth_name']} {traits['first_birth_given_name']}"
        mark = "✗" if one.problems else "✓"
        status = _STATUSES.get(one.status, one.status)
        table.add_row(f"{mark} {number}", person, one.arrival.story, status, _SEARCHES[one.search], one.next_act)
    return table


_SEARCHES = {
    "accepted": "trouvée",
    "to_decide": "à comparer",
    "not_found": "aucune",
    "several": "plusieurs",
    "refused": "non appelée",
    "none": "–",
    "duplicate": "doublon",
    "unusable": "inutilisable",
    "outdated": "périmée",
    "failed": "pas de réponse",
}


def run_reception(output: Path, root: Path, broker: BrokerChoice, console: Console) -> bool:
    """Start what an identity needs, play, print and write the table; True only if every outcome is as expected."""
    started = time.monotonic()
    layout = make_layout("reception", root)
    console.print("Starting broker, database, Pro Santé Connect and INSi doubles, psc-auth and ins …")
    with Sandbox(layout, broker=broker, without=NOT_NEEDED, fresh=True, say=console.print) as sandbox:
        ready = time.monotonic()
        try:
            outcomes = asyncio.run(_play(sandbox))
        except (PlatformError, httpx.HTTPError) as error:
            console.print(f"The reception could not work: {error}", style="bold red", markup=False)
            return False
        played = time.monotonic() - ready
    table = table_of(outcomes)
    console.print(table)
    output.mkdir(parents=True, exist_ok=True)
    with (output / "reception.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=200).print(table)
    wrong = [(number, problem) for number, one in enumerate(outcomes, start=1) for problem in one.problems]
    for number, problem in wrong:
        console.print(f"✗ arrival {number}: {problem}", style="bold red", markup=False)
    right = sum(not one.problems for one in outcomes)
    style = "bold red" if wrong else "bold green"
    seconds = time.monotonic() - started
    console.print(f"{right} of {len(outcomes)} arrivals as expected, {played:.0f} s of {seconds:.0f} s.", style=style)
    return not wrong


async def _play(sandbox: Sandbox) -> list[Outcome]:
    layout = sandbox.layout
    async with (
        Secretary(layout, group.SECRETARY["rpps"]) as secretary,
        Supervisor(layout, group.SUPERVISOR["rpps"]) as supervisor,
    ):
        return await play_reception(secretary, supervisor, layout.ports["ins.mllp"])
