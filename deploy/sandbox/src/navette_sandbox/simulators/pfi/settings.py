"""What the PFI double can be told in its JSON data file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class PfiSettings:
    """Behaviour of the double.

    ``application`` and ``facility``: MSH-5 and MSH-6 it answers to. ``versions`` of the volet it takes. ``strict``:
    combinations outside the matrix of MSSanté are refused. ``receipts``: whether it sends ZAM at all (a DRIMbox does
    not). ``dmp_refuses``: matricules whose DMP answers ``DMPClosed``. ``mail_refuses``: mailboxes with the SMTP code
    they answer. ``reads``: whether recipients read their mail.
    """

    application: str = "PFI-EXEMPLE"
    facility: str = "CH-EXEMPLE"
    versions: tuple[str, ...] = ("2.1", "2.0")
    strict: bool = False
    receipts: bool = True
    dmp_refuses: tuple[str, ...] = ()
    mail_refuses: dict[str, str] = field(default_factory=dict)
    reads: bool = False

    @classmethod
    def load(cls, path: Path | None) -> PfiSettings:
        """Read the data file. Raises `ValueError` for a key nobody knows."""
        raw: dict[str, Any] = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
        unknown = sorted(set(raw) - {item.name for item in fields(cls)})
        if unknown:
            raise ValueError(f"PFI data file: unknown key {unknown[0]}")
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        return cls(**values)
