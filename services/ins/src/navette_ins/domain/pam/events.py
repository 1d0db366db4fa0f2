"""What each PAM event means to a service that holds identities and no stays (spec/hl7v2.md §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Treatment(StrEnum):
    """What is done with a message of this event."""

    IDENTITY = "identity"
    """PID creates or updates the record."""
    NUMBERS = "numbers"
    """An identifier changed or an INS is withdrawn."""
    MERGE = "merge"
    STAY = "stay"
    """Concerns a stay, a movement or a file number only: acknowledged, kept, without effect here."""
    EXCLUDED = "excluded"
    """Not an event of PAM in France."""


_STAY = (
    *("A02", "A03", "A06", "A07", "A11", "A12", "A13", "A15", "A16", "A21", "A22"),
    *("A25", "A26", "A27", "A38", "A44", "A52", "A53", "A54", "A55"),
)

TREATMENTS: Final[Mapping[str, Treatment]] = MappingProxyType(
    dict.fromkeys(("A01", "A04", "A05", "A14", "A28", "A31", "Z99"), Treatment.IDENTITY)
    | {"A47": Treatment.NUMBERS, "A40": Treatment.MERGE, "A08": Treatment.EXCLUDED}
    | dict.fromkeys(_STAY, Treatment.STAY)
)
