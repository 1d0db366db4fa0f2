"""Verification of an INS that is held: what is asked, what comes back, how far a batch is (spec/ins.md §2.8, §2.9)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict

from navette_ins.domain.errors import Forbidden
from navette_ins.domain.facts import FormerIns
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits
from navette_ins.domain.wire_names import to_wire

FIRST_POLL: Final = timedelta(minutes=2)
LONGEST_POLL: Final = timedelta(hours=1)
AGAIN_AFTER: Final = timedelta(days=1)
"""When a line that came to nothing (technical, rejected, expired) may be sent again."""
AGAIN_AFTER_KO: Final = timedelta(days=30)
"""When an INS that was not confirmed may be asked about again, should a person keep it."""
ALARM_BEFORE: Final = timedelta(days=2)
"""How long before its result is gone a lot that was not withdrawn is told to the operator."""


class Verdict(StrEnum):
    """What INSi says of one identity; it gives no traits back."""

    OK = "OK"
    KO = "KO"
    TECHNICAL = "TECHNICAL"


@dataclass(frozen=True, slots=True)
class Subject:
    """An INS and the traits it is held with, as they go on the wire."""

    number: str
    key: str
    oid: str
    birth_name: str
    given_names: str
    sex: str
    birth_date: str
    birth_place_code: str

    def __repr__(self) -> str:
        return "Subject(…)"


def subject_of(identity: Identity) -> Subject:
    """What is verified of an identity. Raises Forbidden without an INS, RuleBroken for a name INSi does not take."""
    if identity.recovery is None:
        raise Forbidden("no_ins")
    return subject_with(identity.recovery.ins, identity.traits)


def subject_with(ins: FormerIns, traits: Traits) -> Subject:
    """What is verified of an INS and the traits it goes with. Raises RuleBroken for a name INSi does not take."""
    return Subject(
        number=ins.matricule[:13],
        key=ins.matricule[13:],
        oid=ins.oid,
        birth_name=to_wire(traits.birth_name, "birth_name"),
        given_names=to_wire(traits.birth_given_names, "given_name"),
        sex=traits.sex,
        birth_date=traits.birth_date,
        birth_place_code=traits.birth_place_code,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch."""

    line_id: str
    subject: Subject


def content_of(lines: Sequence[Line]) -> bytes:
    """The lines as the one text their key is made of."""
    return json.dumps([asdict(line) for line in lines], sort_keys=True, separators=(",", ":")).encode()


def key_of(lines: Sequence[Line]) -> str:
    """SHA-256 of the content: the same lines deposited twice are one lot."""
    return hashlib.sha256(content_of(lines)).hexdigest()


class BatchState(StrEnum):
    """How far a batch is."""

    PREPARED = "prepared"
    DEPOSITED = "deposited"
    PENDING = "pending"
    READY = "ready"
    WITHDRAWN = "withdrawn"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self in (BatchState.APPLIED, BatchState.REJECTED, BatchState.EXPIRED)


_S = BatchState
STEPS: Final[Mapping[BatchState, frozenset[BatchState]]] = MappingProxyType(
    {
        _S.PREPARED: frozenset({_S.DEPOSITED, _S.REJECTED}),
        _S.DEPOSITED: frozenset({_S.PENDING, _S.READY, _S.REJECTED, _S.EXPIRED}),
        _S.PENDING: frozenset({_S.PENDING, _S.READY, _S.REJECTED, _S.EXPIRED}),
        # A withdrawal whose answer was lost is asked for again.
        _S.READY: frozenset({_S.READY, _S.WITHDRAWN, _S.REJECTED, _S.EXPIRED}),
        _S.WITHDRAWN: frozenset({_S.APPLIED}),
        _S.APPLIED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)
"""prepared → deposited → pending → ready → withdrawn → applied; rejected and expired on the way."""


class ImpossibleStep(Exception):  # noqa: N818 - the step is impossible
    """A batch was to go where it cannot: an error of the program."""

    def __init__(self, before: BatchState, after: BatchState) -> None:
        super().__init__(f"{before} to {after}")


class Batch(BaseModel):
    """A batch; its lines are kept apart, sealed."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    key: str
    state: BatchState = BatchState.PREPARED
    sent: int
    prepared_at: datetime
    deposited_at: datetime | None = None
    lot_id: str | None = None
    expires_at: datetime | None = None
    """When INSi forgets the result."""
    alarmed_at: datetime | None = None
    polls: int = 0
    ended_at: datetime | None = None
    code: str | None = None
    """Why it was rejected or came to nothing."""
    counts: dict[str, int] = {}
    """Applied lines by what they came to: ok, ko, technical, stale."""

    def moved(self, state: BatchState, **changes: object) -> Batch:
        """The batch one step further. Raises ImpossibleStep."""
        if state not in STEPS[self.state]:
            raise ImpossibleStep(self.state, state)
        return self.model_copy(update={"state": state, **changes})

    def expires_soon(self, now: datetime) -> bool:
        """Whether its result is about to be lost and nobody was told yet."""
        waiting = self.state in (BatchState.DEPOSITED, BatchState.PENDING, BatchState.READY)
        return (
            waiting
            and self.alarmed_at is None
            and self.expires_at is not None
            and (now >= self.expires_at - ALARM_BEFORE)
        )


def poll_delay(polls: int) -> timedelta:
    """Time until the next look at a lot: minutes, then an hour."""
    growth: int = 2 ** min(polls, 10)
    return min(LONGEST_POLL, FIRST_POLL * growth)


class CheckState(StrEnum):
    """What a unit verification came to."""

    REQUESTED = "requested"
    OK = "ok"
    KO = "ko"
    OUTDATED = "outdated"
    """The identity changed meanwhile: the answer was about something else."""
    FAILED = "failed"


class Check(BaseModel):
    """A unit verification; holds no trait and no matricule."""

    model_config = ConfigDict(frozen=True)

    check_id: str
    patient_id: str
    site_id: str
    revision: int
    requested_by: str
    requested_at: datetime
    state: CheckState = CheckState.REQUESTED
    code: str | None = None
    who_must_act: str = "nobody"
