"""The port of verification (WS_INS3 to WS_INS5), whose messages are not public (spec/ins.md §2.8, §2.9).

An adapter is written once an editor's account gives the schemas. Until then `NotConfigured` refuses clearly, and
`verifier_sandbox` speaks to the double of this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from navette_contracts.events import WhoMustAct

from navette_ins.domain.verification import Line, Subject, Verdict


class VerificationNotConfigured(Exception):  # noqa: N818 - verification is not configured
    """No adapter, or no certificate for it: nothing was sent."""


class VerificationTrouble(Exception):  # noqa: N818 - the service is in trouble
    """No verdict. `code` is a word; `later`: worth trying again; `down`: nobody answered at all."""

    def __init__(self, code: str, *, later: bool, down: bool = False, who: WhoMustAct = WhoMustAct.OPERATOR) -> None:
        super().__init__(code)
        self.code = code
        self.later = later
        self.down = down
        self.who = who


@dataclass(frozen=True, slots=True)
class Received:
    """What came back, as received, for the trace."""

    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdict on one identity."""

    verdict: Verdict
    received: Received


@dataclass(frozen=True, slots=True)
class Deposited:
    """A lot that was taken."""

    lot_id: str
    expires_at: datetime
    received: Received


LotState = Literal["pending", "ready", "rejected", "expired"]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The verdicts of a lot by line; a line may be missing."""

    verdicts: Mapping[str, Verdict]
    received: Received


class Verifier(Protocol):
    """Verification of identities. Every call may raise VerificationNotConfigured or VerificationTrouble."""

    @property
    def unit_possible(self) -> bool:
        """Whether one identity can be verified."""
        ...

    @property
    def batches_possible(self) -> bool:
        """Whether batches can be deposited (INSI-AUTO certificate)."""
        ...

    async def verify(self, subject: Subject, /) -> Verified:
        """Verify one identity, as the person at the desk."""
        ...

    async def deposit(self, key: str, lines: Sequence[Line], /) -> Deposited:
        """Deposit a batch, unattended. The same key again gives the lot it made the first time."""
        ...

    async def state(self, lot_id: str, /) -> LotState:
        """How far a lot is."""
        ...

    async def withdraw(self, lot_id: str, /) -> Withdrawn:
        """The result of a lot that is ready; may be asked for again."""
        ...


class NotConfigured:
    """The verifier of an installation that has none."""

    unit_possible = False
    batches_possible = False

    async def verify(self, _subject: Subject, /) -> Verified:
        """Refuse."""
        raise VerificationNotConfigured

    async def deposit(self, _key: str, _lines: Sequence[Line], /) -> Deposited:
        """Refuse."""
        raise VerificationNotConfigured

    async def state(self, _lot_id: str, /) -> LotState:
        """Refuse."""
        raise VerificationNotConfigured

    async def withdraw(self, _lot_id: str, /) -> Withdrawn:
        """Refuse."""
        raise VerificationNotConfigured
