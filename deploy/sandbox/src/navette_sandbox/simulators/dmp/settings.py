"""What the DMP double can be told in its JSON data file; every *unverified* value of the spec is here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

INS_OIDS = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9")
INS_OIDS_WITH_TEST = (*INS_OIDS, "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")

PACKAGED = Path(__file__).parent.parent / "data" / "dmp.json"


@dataclass(frozen=True, slots=True)
class DmpSettings:
    """Behaviour of the double.

    ``patients`` maps a matricule to its state (``active``, ``closed`` or ``none``); a matricule that is not
    listed has an active DMP when ``unlisted_patients`` is true. ``structures`` maps a legal entity
    (Struct_IdNat) to the geographic entities that may appear as author institution of a document.
    Times are in seconds, sizes in bytes.
    """

    patients: dict[str, str] = field(default_factory=dict)
    unlisted_patients: bool = True
    ins_oids: tuple[str, ...] = INS_OIDS_WITH_TEST
    structures: dict[str, list[str]] = field(default_factory=dict)
    homologation_numbers: tuple[str, ...] = ()
    vihf_versions: tuple[str, ...] = ("3.0", "4.0")
    vihf_max_age: float = 300.0
    clock_skew: float = 60.0
    lot_signature: str = "required"
    allow_invisible_and_masked: bool = False
    max_document_bytes: int = 10_000_000
    repository_unique_id: str = "1.2.250.1.213.4.1.1.1.2"

    @classmethod
    def load(cls, path: Path | None) -> DmpSettings:
        """Read the data file (the packaged one by default); unknown keys are refused with `ValueError`."""
        raw: dict[str, Any] = json.loads((path or PACKAGED).read_text(encoding="utf-8"))
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise ValueError(f"DMP data file: unknown key {unknown[0]}")
        tuples = {"ins_oids", "homologation_numbers", "vihf_versions"}
        values: dict[str, Any] = {key: tuple(raw[key]) if key in tuples else raw[key] for key in raw}
        return cls(**values)

    def patient_state(self, matricule: str, overrides: dict[str, str]) -> str:
        """``active``, ``closed`` or ``none`` for a matricule; ``overrides`` come from the control port."""
        default = "active" if self.unlisted_patients else "none"
        return overrides.get(matricule, self.patients.get(matricule, default))
