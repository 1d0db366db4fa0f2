"""States of a version and the acts that lead from one to the next, as data.

```
draft ──propose──▶ provisional ──sign──▶ signed ─▶ waiting / held / composed ──replace──▶ replaced
  └───────────────sign─────────────────▶  └──────────────┴────────────────────withdraw──▶ withdrawn
```

There is no act that hides: what was visible can be replaced or withdrawn (spec/dsr.md §4 C2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    PROVISIONAL = "provisional"
    """Not validated: several radiologists must agree first (RIS.CRR.04)."""
    SIGNED = "signed"
    """Validated; its document is about to be made."""
    WAITING = "waiting"
    """Validated; no document can be made until the patient is known."""
    HELD = "held"
    """Validated; its document failed our own checks and did not leave."""
    COMPOSED = "composed"
    REPLACED = "replaced"
    """A later version was validated: nothing more happens to this one."""
    WITHDRAWN = "withdrawn"
    """Annulled: deleted in the DMP, told to those who received it."""


class Act(StrEnum):
    """What may happen to a version."""

    EDIT = "edit"
    PROPOSE = "propose"
    AGREE = "agree"
    SIGN = "sign"
    WAIT = "wait"
    HOLD = "hold"
    COMPOSE = "compose"
    ANNOUNCE = "announce"
    REPLACE = "replace"
    WITHDRAW = "withdraw"


UNVALIDATED = frozenset({State.DRAFT, State.PROVISIONAL})
IN_FORCE = frozenset({State.SIGNED, State.WAITING, State.HELD, State.COMPOSED})
"""Validated, and neither replaced nor withdrawn."""


def _table() -> dict[tuple[State, Act], State]:
    settled = (State.WAITING, State.HELD, State.COMPOSED)
    table = {
        (State.DRAFT, Act.EDIT): State.DRAFT,
        (State.DRAFT, Act.PROPOSE): State.PROVISIONAL,
        (State.DRAFT, Act.SIGN): State.SIGNED,
        (State.PROVISIONAL, Act.EDIT): State.PROVISIONAL,
        (State.PROVISIONAL, Act.PROPOSE): State.PROVISIONAL,
        (State.PROVISIONAL, Act.AGREE): State.PROVISIONAL,
        (State.PROVISIONAL, Act.SIGN): State.SIGNED,
        (State.SIGNED, Act.WAIT): State.WAITING,
        (State.SIGNED, Act.HOLD): State.HELD,
        (State.SIGNED, Act.COMPOSE): State.COMPOSED,
        (State.WAITING, Act.WAIT): State.WAITING,
        (State.WAITING, Act.HOLD): State.HELD,
        (State.WAITING, Act.COMPOSE): State.COMPOSED,
        (State.HELD, Act.HOLD): State.HELD,
        (State.HELD, Act.COMPOSE): State.COMPOSED,
        # A later edition of the same version; one that fails its checks leaves the earlier one in place.
        (State.COMPOSED, Act.COMPOSE): State.COMPOSED,
        (State.COMPOSED, Act.HOLD): State.COMPOSED,
    }
    table |= {(state, Act.ANNOUNCE): state for state in IN_FORCE}
    table |= {(state, Act.WITHDRAW): State.WITHDRAWN for state in IN_FORCE}
    # Not while its document is being made: the next version must know what it replaces.
    table |= {(state, Act.REPLACE): State.REPLACED for state in settled}
    return table


TRANSITIONS: Mapping[tuple[State, Act], State] = MappingProxyType(_table())
"""Every allowed act; what is not listed is refused."""


class Forbidden(Exception):  # noqa: N818 - read as "raise Forbidden"
    """An act the rules do not allow. `rule` is a code; the message holds no content of the report."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule
