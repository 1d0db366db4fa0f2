"""The reports and people of the demonstration, as a user would type them in.

Patients are those whom the INSi double knows; requesters are those of the directory double.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from navette_sandbox import group

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class Patient:
    """One fictitious person, with the INS that the INSi double would give."""

    key: str
    birth_name: str
    given_names: str
    sex: str
    birth_date: str
    birth_place_code: str
    matricule: str
    """15 characters, key included."""
    oid: str

    @property
    def first_given_name(self) -> str:
        """The first of the given names; a hyphen does not end it."""
        return self.given_names.split(" ")[0]


@dataclass(frozen=True)
class Requester:
    """A doctor who asked for an examination."""

    family_name: str
    given_name: str
    rpps: str
    mailbox: str


@dataclass(frozen=True)
class ReportText:
    """One report of `reports.json`."""

    key: str
    scenario: str
    patient: str
    requester: str
    title: str
    content: Mapping[str, Any]

    def draft(self, requester: Requester, accession: str, study_uid: str, now: datetime) -> dict[str, Any]:
        """The content to send to the report service, dated relative to `now` and never in the future."""
        day = now.astimezone(PARIS) - timedelta(days=self.content["days_ago"])
        hour, minute = map(int, self.content["hour"].split(":"))
        started = min(day.replace(hour=hour, minute=minute, second=0, microsecond=0), now - timedelta(minutes=40))
        return {
            "title": self.title,
            **{
                name: self.content[name] for name in ("indication", "technique", "comparison", "findings", "conclusion")
            },
            "acts": [dict(self.content["act"])],
            "exam": {
                "accession_number": accession,
                "order_placer_number": f"D{accession}",
                "study_instance_uid": study_uid,
                "started_at": started.isoformat(),
                "ended_at": (started + timedelta(minutes=20)).isoformat(),
            },
            "correspondents": [
                {
                    "recipient_id": "requester",
                    "role": "requester",
                    "family_name": requester.family_name,
                    "given_name": requester.given_name,
                    "title": "DR",
                    "rpps": requester.rpps,
                }
            ],
        }


def _data(name: str) -> Any:
    return json.loads((files("navette_sandbox.simulators") / "data" / name).read_text("utf-8"))


@cache
def patients() -> Mapping[str, Patient]:
    """Patients by key (`P01` …)."""
    found = {}
    for row in _data("identities.json")["people"]:
        found[row["id"]] = Patient(
            key=row["id"],
            birth_name=row["birth_name"],
            given_names=row["given_names"],
            sex=row["sex"],
            birth_date=row["birth_date"],
            birth_place_code=row["birth_place_code"],
            matricule=row["nir"] + row["key"],
            oid=row["oid"],
        )
    return found


@cache
def requesters() -> Mapping[str, Requester]:
    """Requesters by RPPS: the practitioners of the directory who have one mailbox."""
    return {
        row["rpps"]: Requester(row["family"], row["given"], row["rpps"], row["mailboxes"][0]["address"])
        for row in _data("directory.json")["practitioners"]
        if len(row["mailboxes"]) == 1
    }


@cache
def reports() -> Sequence[ReportText]:
    """The twenty reports, in the order of the scenarios."""
    rows = json.loads((files("navette_sandbox.scenarios") / "reports.json").read_text("utf-8"))["reports"]
    return [
        ReportText(row["key"], row["scenario"], row["patient"], row["requester"], row["title"], row) for row in rows
    ]


def study_uid(number: int) -> str:
    """Study Instance UID of the n-th report of a run."""
    return f"{group.OID_ROOT}.9.{number}"
