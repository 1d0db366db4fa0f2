"""What the scenarios share: who plays, what was played, and how the platform is asked about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import Patient, ReportText, Requester, patients, reports, requesters, study_uid
from navette_sandbox.scenarios.client import Radiologist, Secretary, arrived, poll
from navette_sandbox.supervisor import Sandbox
from navette_sandbox.verify.deliveries import Signed
from navette_sandbox.verify.versions import Turn

Say = Callable[[str], None]
Journey = dict[str, Any]


class ScenarioError(Exception):
    """What a scenario waits for cannot come any more."""


@dataclass
class Played:
    """One report of a run and what became of it."""

    number: int
    text: ReportText
    patient: Patient
    requester: Requester
    site_id: str
    patient_id: str
    report_id: str
    accession: str
    study_uid: str
    late: bool = False
    """Whether the identity was qualified only after the requester had been served."""
    turn: Turn | None = None
    """What became of it after it was signed, if anything."""
    by_platform: bool = False
    """Whether the platform of the hospital carries it: then Navette itself sends it to nobody."""
    journey: Journey = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of the report within a run."""
        return f"{self.number:02d}-{self.text.key}"

    def content(self, *, corrected: bool = False) -> dict[str, Any]:
        """What the radiologist writes. A platform writes to the address it is given, so the draft names it."""
        content = self.text.draft(self.requester, self.accession, self.study_uid, datetime.now(UTC))
        if corrected:
            content |= {name: self.text.content[f"corrected_{name}"] for name in ("findings", "conclusion")}
        if self.by_platform:
            content["correspondents"][0]["mss_address"] = self.requester.mailbox
        return content

    def signed(self) -> Signed:
        """What the verification compares the deliveries with."""
        return Signed(
            key=self.key,
            title=self.text.title,
            conclusion=str(self.text.content["conclusion"]),
            study_uid=self.study_uid,
            author_rpps=group.RADIOLOGIST["rpps"],
            birth_name=self.patient.birth_name,
            matricule=self.patient.matricule,
            ins_oid=self.patient.oid,
            requester=self.requester.mailbox,
            patient=f"{self.patient.matricule}@{group.PATIENT_DOMAIN}",
            late=self.late,
        )


@dataclass
class Stage:
    """What the scenarios share: who plays, what was played, what was seen on the way."""

    sandbox: Sandbox
    secretary: Secretary
    radiologist: Radiologist
    say: Say
    played: list[Played] = field(default_factory=list)
    patient_ids: dict[str, str] = field(default_factory=dict)
    identified: set[str] = field(default_factory=set)
    """Patients whom report knows with their INS."""
    registry: list[dict[str, Any]] = field(default_factory=list)
    """What the DMP held at the end."""
    platform: list[dict[str, Any]] = field(default_factory=list)
    """What the platform of the hospital held at the end."""
    observations: list[tuple[str, bool, str]] = field(default_factory=list)
    """What only can be seen while a scenario runs: (what must be true, whether it was, detail)."""

    def observe(self, what: str, held: bool, detail: str = "") -> None:
        """Note whether something that must be true was."""
        self.observations.append((what, held, detail))

    async def fault(self, simulator: str, **script: Any) -> None:
        """Tell a simulator to misbehave."""
        async with httpx.AsyncClient() as http:
            url = f"{self.sandbox.layout.control_url(simulator)}/faults"
            (await http.post(url, json=script)).raise_for_status()

    async def heal(self, simulator: str) -> None:
        """Tell a simulator to behave again."""
        async with httpx.AsyncClient() as http:
            (await http.delete(f"{self.sandbox.layout.control_url(simulator)}/faults")).raise_for_status()

    async def state(self, simulator: str, view: str) -> Any:
        """What a simulator holds."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.sandbox.layout.control_url(simulator)}/state/{view}")
            answer.raise_for_status()
            return answer.json()

    async def register(self, key: str) -> str:
        """Create a patient once."""
        if key not in self.patient_ids:
            site = group.DIRECT_SITES[len(self.patient_ids) % len(group.DIRECT_SITES)]["site_id"]
            self.patient_ids[key] = await self.secretary.register(patients()[key], site)
        return self.patient_ids[key]

    async def sign(
        self,
        text: ReportText,
        *,
        late: bool = False,
        by_platform: bool = False,
        choices: dict[str, bool] | None = None,
    ) -> Played:
        """Draft and sign one report for a patient who is registered."""
        played = self.prepare(text, late=late, by_platform=by_platform)
        await self.draft(played)
        if not late and played.patient_id not in self.identified:
            await self.radiologist.see_identity(played.report_id)
            self.identified.add(played.patient_id)
        await self.radiologist.sign(played.report_id, choices)
        return played

    def prepare(self, text: ReportText, *, late: bool = False, by_platform: bool = False) -> Played:
        """Give a report its number, accession number and study; what goes by the platform is made in its site."""
        number = len(self.played) + 1
        sites = group.SITES[-1:] if by_platform else group.DIRECT_SITES
        played = Played(
            number=number,
            text=text,
            patient=patients()[text.patient],
            requester=requesters()[text.requester],
            site_id=sites[number % len(sites)]["site_id"],
            patient_id=self.patient_ids.get(text.patient, ""),
            report_id="",
            accession=f"NVT{datetime.now(UTC):%y%m%d}{number:04d}",
            study_uid=study_uid(number),
            late=late,
            by_platform=by_platform,
        )
        self.played.append(played)
        return played

    async def draft(self, played: Played) -> None:
        """Write the draft of a prepared report."""
        content = played.content()
        played.report_id = await self.radiologist.draft(played.patient_id, played.site_id, content)

    async def refresh(self) -> None:
        """Read the journeys of everything that was played."""
        known = await self.radiologist.journeys()
        for one in self.played:
            if one.report_id in known:
                one.journey = known[one.report_id]
            elif one.report_id and not (one.journey and arrived(one.journey)):
                # The list holds the last 200 reports that changed.
                one.journey = await self.radiologist.journey(one.report_id)

    async def wait(
        self, chosen: list[Played], done: Callable[[Journey], bool], what: str, seconds: float = 180.0
    ) -> None:
        """Wait until each chosen report's journey is as wished."""

        async def ask() -> list[Journey]:
            await self.refresh()
            for one in chosen:
                _refuse_failures(one, what)
            return [one.journey for one in chosen]

        await poll(ask, lambda found: all(one and done(one) for one in found), seconds=seconds, what=what)


def _refuse_failures(one: Played, what: str) -> None:
    for found in one.journey.get("lines", []):
        if found["state"] in {"refused", "failed"}:
            which = f"{one.text.key}, {found['channel']} {found['role']} {found['state']}"
            raise ScenarioError(f"{what}: {which}: {found['reason']}")


def of_scenario(letter: str) -> list[ReportText]:
    """The reports of one scenario."""
    return [one for one in reports() if one.scenario == letter]


def line(journey: Journey, channel: str, role: str = "") -> Journey:
    """The line of a channel (and role) of a journey, empty when there is none."""
    for one in journey["lines"]:
        if one["channel"] == channel and role in {"", one["role"]}:
            return dict(one)
    return {}
