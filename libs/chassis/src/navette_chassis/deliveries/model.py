"""The words of deliveries: channels, work items, outcomes and states (DESIGN §4; engineering.md §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from navette_contracts.events import ErrorClass, WhoMustAct

from navette_chassis.deliveries.policy import BreakerPolicy, RetryPolicy

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_MAX_REMOTE_ID = 256


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    RETRY_SCHEDULED = "retry_scheduled"
    UNKNOWN = "unknown"
    """The last attempt may have reached the other side: the next one asks before it sends."""
    DELIVERED = "delivered"
    REJECTED = "rejected"
    FAILED = "failed"
    """Given up after the retry policy's time; an operator may replay it."""
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing happens any more without an operator."""
        return self in _TERMINAL


_TERMINAL = frozenset({DeliveryState.DELIVERED, DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.CANCELLED})


class OutcomeKind(StrEnum):
    """The five classes every answer of the outside world falls into, by a table per connector."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    AMBIGUOUS = "ambiguous"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to.

    ``code`` is a word of the connector's table (no free text: ``ValueError`` otherwise, without the value).
    ``endpoint_down`` says that nobody answered: it feeds the breaker of the endpoint.
    """

    kind: OutcomeKind
    code: str
    who_must_act: WhoMustAct = WhoMustAct.NOBODY
    remote_ids: Mapping[str, str] = field(default_factory=dict)
    endpoint_down: bool = False

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            message = "outcome code: letters, digits and _.:/#- only, at most 128"
            raise ValueError(message)
        if any(len(value) > _MAX_REMOTE_ID for value in self.remote_ids.values()):
            message = f"outcome remote_ids: at most {_MAX_REMOTE_ID} characters each"
            raise ValueError(message)

    @classmethod
    def delivered(cls, code: str = "ok", **remote_ids: str) -> Outcome:
        """The other side has it; ``remote_ids`` are what it calls it."""
        return cls(OutcomeKind.DELIVERED, code, remote_ids=remote_ids)

    @classmethod
    def transient(cls, code: str, *, endpoint_down: bool = False) -> Outcome:
        """Certainly not accepted, and worth trying again."""
        return cls(OutcomeKind.TRANSIENT, code, endpoint_down=endpoint_down)

    @classmethod
    def permanent(cls, code: str, who: WhoMustAct) -> Outcome:
        """Refused; sending the same again would be refused again."""
        return cls(OutcomeKind.PERMANENT, code, who_must_act=who)

    @classmethod
    def ambiguous(cls, code: str, *, endpoint_down: bool = False) -> Outcome:
        """Sent, and nobody knows whether it was accepted: the next attempt must ask first."""
        return cls(OutcomeKind.AMBIGUOUS, code, endpoint_down=endpoint_down)

    @classmethod
    def cancelled(cls, code: str) -> Outcome:
        """No longer wanted; nothing was sent."""
        return cls(OutcomeKind.CANCELLED, code)

    @property
    def error_class(self) -> ErrorClass:
        """For ``settle``: why there was no success. A transient or ambiguous end means given up."""
        if self.kind is OutcomeKind.PERMANENT:
            return ErrorClass.PERMANENT
        if self.kind is OutcomeKind.CANCELLED:
            return ErrorClass.CANCELLED
        if self.kind is OutcomeKind.DELIVERED:
            message = "a delivered outcome has no error class"
            raise ValueError(message)
        return ErrorClass.EXHAUSTED


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of call to one outside endpoint.

    ``endpoint`` names what breaks together: channels that share it share the breaker and the rate.
    ``max_in_flight`` counts per process; ``rate_per_second`` holds across all processes.
    ``lease_seconds``: how long after a crash the work is taken over (None: the service's setting).
    ``attempt_timeout_seconds``: an attempt that lasts longer is cut and counts as ambiguous.
    """

    name: str
    endpoint: str
    max_in_flight: int = 4
    rate_per_second: float | None = None
    lease_seconds: float | None = None
    attempt_timeout_seconds: float = 120.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not _NAME.fullmatch(self.endpoint):
            message = "channel name and endpoint: lower-case letters, digits and _.- only"
            raise ValueError(message)
        if self.max_in_flight < 1 or (self.rate_per_second is not None and self.rate_per_second <= 0):
            message = "channel max_in_flight and rate_per_second must be positive"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an attempt is given, and then ``settle``.

    ``attempt`` counts from 1 over the whole life of the item. ``must_query``: an earlier attempt may have
    been accepted (its answer was lost, or the process died), so ask the other side before sending again. For
    ``settle`` the last attempt counts too: cancelled or given up, the item may be there all the same.
    ``first_attempt_at``: when the first attempt began, or the first one since an operator replayed the item.
    """

    id: str
    channel: str
    key: str
    group: str
    payload: Mapping[str, Any]
    attempt: int
    must_query: bool
    created_at: datetime
    first_attempt_at: datetime
