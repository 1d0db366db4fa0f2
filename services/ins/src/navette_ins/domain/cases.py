"""What the cellule d'identitovigilance has to decide: a case, its states, what a decision leads to (spec/ins.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict

from navette_ins.domain.errors import Forbidden


class CaseKind(StrEnum):
    """What a case is about."""

    DUPLICATE = "duplicate"
    """Doublon: two records, one person."""
    COLLISION = "collision"
    """One record, two persons."""
    HOMONYM = "homonym"
    """Two people who look alike."""
    VERIFICATION_KO = "verification_ko"
    """INSi does not confirm an INS that is held."""
    RECEIVED_INS_KO = "received_ins_ko"
    """INSi does not confirm an INS that a third party sent: it was not taken over."""


class CaseState(StrEnum):
    """How far a case is."""

    OPEN = "open"
    """Somebody has to look."""
    CONFIRMED = "confirmed"
    """It is so; for a duplicate, the merge is still to do."""
    DISMISSED = "dismissed"
    """It is not so."""
    RESOLVED = "resolved"
    """It was so, and has been put right."""


class CaseDecision(StrEnum):
    """What a person decides."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"


CASE_STEPS: Final[Mapping[tuple[CaseKind, CaseState, CaseDecision], CaseState]] = MappingProxyType(
    {
        (CaseKind.DUPLICATE, CaseState.OPEN, CaseDecision.CONFIRM): CaseState.CONFIRMED,
        (CaseKind.DUPLICATE, CaseState.OPEN, CaseDecision.DISMISS): CaseState.DISMISSED,
        (CaseKind.DUPLICATE, CaseState.CONFIRMED, CaseDecision.DISMISS): CaseState.DISMISSED,
        (CaseKind.COLLISION, CaseState.OPEN, CaseDecision.CONFIRM): CaseState.RESOLVED,
        (CaseKind.COLLISION, CaseState.OPEN, CaseDecision.DISMISS): CaseState.DISMISSED,
        (CaseKind.HOMONYM, CaseState.OPEN, CaseDecision.CONFIRM): CaseState.RESOLVED,
        (CaseKind.HOMONYM, CaseState.OPEN, CaseDecision.DISMISS): CaseState.DISMISSED,
        (CaseKind.VERIFICATION_KO, CaseState.OPEN, CaseDecision.CONFIRM): CaseState.RESOLVED,
        (CaseKind.VERIFICATION_KO, CaseState.OPEN, CaseDecision.DISMISS): CaseState.DISMISSED,
        (CaseKind.RECEIVED_INS_KO, CaseState.OPEN, CaseDecision.CONFIRM): CaseState.RESOLVED,
        (CaseKind.RECEIVED_INS_KO, CaseState.OPEN, CaseDecision.DISMISS): CaseState.DISMISSED,
    }
)
"""Merging resolves a duplicate; undoing the merge opens it again."""

PAM_CODES: Final[Mapping[tuple[CaseKind, CaseState], str]] = MappingProxyType(
    {
        (CaseKind.DUPLICATE, CaseState.OPEN): "DPOT",
        (CaseKind.DUPLICATE, CaseState.CONFIRMED): "DOUA",
        (CaseKind.COLLISION, CaseState.OPEN): "COLP",
        (CaseKind.COLLISION, CaseState.RESOLVED): "COLV",
        (CaseKind.HOMONYM, CaseState.OPEN): "HOMD",
        (CaseKind.HOMONYM, CaseState.RESOLVED): "HOMA",
    }
)
"""Table 0445 of PAM France."""


class Case(BaseModel):
    """A case; holds no trait and no matricule."""

    model_config = ConfigDict(frozen=True)

    case_id: str
    kind: CaseKind
    state: CaseState = CaseState.OPEN
    patient_ids: tuple[str, ...]
    site_ids: tuple[str, ...]
    reason: str
    """Why it was opened, as a word: "same_ins", "former_ins", "look_alike", "crossed_name", "reported"…"""
    score: float | None = None
    opened_by: str
    opened_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def key(self) -> str:
        """What makes two openings one case."""
        return f"{self.kind}|{'|'.join(sorted(self.patient_ids))}"

    @property
    def pending(self) -> bool:
        """Whether somebody still has something to do."""
        return self.state in (CaseState.OPEN, CaseState.CONFIRMED)

    @property
    def pam_code(self) -> str | None:
        """Its code in PAM France, if it has one."""
        return PAM_CODES.get((self.kind, self.state))

    def decided(self, decision: CaseDecision, *, by: str, at: datetime) -> Case:
        """The case after a decision. Raises Forbidden when there is nothing to decide."""
        state = CASE_STEPS.get((self.kind, self.state, decision))
        if state is None:
            raise Forbidden("case_closed")
        return self.model_copy(update={"state": state, "decided_by": by, "decided_at": at})

    def closed(self, state: CaseState, *, by: str, at: datetime) -> Case:
        """The case after another act (a merge, its undoing) settled it."""
        return self.model_copy(update={"state": state, "decided_by": by, "decided_at": at})
