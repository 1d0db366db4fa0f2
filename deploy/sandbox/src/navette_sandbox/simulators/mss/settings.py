"""What the MSSanté double can be told in its JSON data file."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PACKAGED = Path(__file__).parent.parent / "data" / "directory.json"


@dataclass(frozen=True, slots=True)
class MssSettings:
    """Behaviour of the double.

    ``mailboxes`` maps an address to its state: ``active``, ``full``, ``suspended`` or ``bouncing`` (accepted,
    then returned by a failure DSN). Patient addresses exist for every valid matricule unless listed here.
    ``sasl`` lists the mechanisms announced after STARTTLS; ``sasl_required`` refuses mail without one.
    Sizes in bytes.
    """

    mailboxes: dict[str, str] = field(default_factory=dict)
    white_list: tuple[str, ...] = ("*.mssante.fr", "*.mssante.example")
    patient_domains: tuple[str, ...] = ("patient.mssante.fr", "patient.mssante.example")
    sasl: tuple[str, ...] = ("EXTERNAL",)
    sasl_required: bool = False
    passwords: dict[str, str] = field(default_factory=dict)
    max_size: int = 10_000_000
    max_size_patient: int = 25_000_000
    dsn_action: str = "delivered"
    operator_domain: str = "operateur.mssante.example"

    @classmethod
    def load(cls, path: Path | None) -> MssSettings:
        """Read the data file; without one, the mailboxes of the packaged directory. Raises `ValueError`."""
        if path is None:
            directory = json.loads(PACKAGED.read_text(encoding="utf-8"))
            return cls(mailboxes={item["address"].lower(): item["state"] for item in directory_mailboxes(directory)})
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        unknown = sorted(set(raw) - {item.name for item in fields(cls)})
        if unknown:
            raise ValueError(f"MSSanté data file: unknown key {unknown[0]}")
        tuples = {"white_list", "patient_domains", "sasl"}
        values: dict[str, Any] = {key: tuple(raw[key]) if key in tuples else raw[key] for key in raw}
        return cls(**values)

    def trusted(self, address: str) -> bool:
        """Whether the domain is on the white list."""
        domain = address.rpartition("@")[2].lower()
        return any(fnmatch.fnmatch(domain, pattern) for pattern in self.white_list)

    def is_patient(self, address: str) -> bool:
        """Whether the address is one of Mon espace santé."""
        return address.rpartition("@")[2].lower() in self.patient_domains


def directory_mailboxes(directory: dict[str, Any]) -> list[dict[str, str]]:
    """Every MSSanté mailbox of the directory data file with its state at the operator."""
    holders = [*directory["practitioners"], *directory["organizations"]]
    holders += [role for person in directory["practitioners"] for role in person.get("roles", [])]
    return [
        {"address": box["address"], "state": box.get("state", "active")}
        for holder in holders
        for box in holder.get("mailboxes", [])
        if box.get("mssante", True)
    ]
