"""How deliveries lie in the database.

``deliveries`` holds open work only, so that it stays small; what ended moves to ``deliveries_done``, which
keeps its key known (a late duplicate is not scheduled again) until the time limit. Of one group only the
*head*, the oldest open row, has ``lane`` and ``due``: the claim reads that one index and needs no further
check of order. ``due`` is when a row may next be claimed: its time of retry, or the end of its lease.
``rev`` changes with every write: a claim is a compare-and-set on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from navette_chassis.deliveries.model import Delivery, DeliveryState, Outcome, OutcomeKind
from navette_chassis.ids import uuid7
from navette_chassis.index import Index
from navette_chassis.origin import Origin

OPEN = "deliveries"
DONE = "deliveries_done"
ENDPOINTS = "delivery_endpoints"
NOTICES = "notices"

#: Lane of heads whose cancellation was asked for; they need no endpoint.
CANCEL_LANE = "#cancel"
#: How long an ended delivery keeps its key known; longer than inbox rows and any replay of a topic.
KEEP_DONE = timedelta(days=400)
#: Attempts kept per delivery; the last ones.
MAX_ATTEMPTS = 50

INDEXES = (
    Index(OPEN, [("channel", 1), ("key", 1)], unique=True),
    Index(OPEN, [("lane", 1), ("due", 1)]),  # not partial: the development database reads past partial ones
    Index(OPEN, [("group", 1), ("position", 1)]),
    Index(OPEN, [("head", 1)], unique=True, partial={"head": {"$exists": True}}),
    Index(DONE, [("channel", 1), ("key", 1)], unique=True),
    Index(DONE, [("state", 1), ("channel", 1)]),
    Index(DONE, [("finished_at", 1)], ttl=KEEP_DONE),
    Index(NOTICES, [("at", -1)]),
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One row under a lease of this process; every write about it names ``token``."""

    row: Mapping[str, Any]
    token: str
    attempt: int
    must_query: bool
    first_attempt_at: datetime

    @property
    def id(self) -> str:
        """Id of the delivery."""
        return str(self.row["_id"])

    @property
    def owned(self) -> dict[str, Any]:
        """The filter that matches as long as nobody took the row over."""
        return {"_id": self.row["_id"], "lease.token": self.token}

    @property
    def delivery(self) -> Delivery:
        """What the attempt is given."""
        row = self.row
        return Delivery(
            id=self.id,
            channel=row["channel"],
            key=row["key"],
            group=row["group"],
            payload=row["payload"],
            attempt=self.attempt,
            must_query=self.must_query,
            created_at=row["created_at"],
            first_attempt_at=self.first_attempt_at,
        )

    @property
    def origin(self) -> Origin:
        """Correlation and causation of what scheduled it."""
        return Origin(self.row["correlation_id"], self.row["causation_id"])


def new_row(
    channel: str,
    *,
    key: str,
    group: str,
    payload: Mapping[str, Any],
    not_before: datetime | None,
    now: datetime,
    origin: Origin,
    traceparent: str | None,
) -> Row:
    """A delivery nobody has attempted, not yet placed in its group."""
    return {
        "_id": uuid7(),
        "channel": channel,
        "key": key,
        "group": group,
        "state": DeliveryState.SCHEDULED.value,
        "payload": dict(payload),
        "created_at": now,
        "not_before": not_before,
        "attempt": 0,
        "retries": 0,
        "must_query": False,
        "first_attempt_at": None,
        "attempts": [],
        "cancel_code": None,
        "rev": 0,
        "correlation_id": origin.correlation_id,
        "causation_id": origin.causation_id,
        "traceparent": traceparent,
    }


def placing(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields that make a row the head of its group: claimable from ``due`` on."""
    cancelled = row["cancel_code"] is not None
    not_before = row["not_before"]
    return {
        "head": row["group"],
        "lane": CANCEL_LANE if cancelled else row["channel"],
        "due": now if cancelled or not_before is None else max(not_before, now),
    }


def attempt_entry(number: int, outcome: Outcome, started_at: datetime, ended_at: datetime) -> dict[str, Any]:
    """One line of a delivery's history: when, what class, which code; nothing the other side said."""
    return {
        "n": number,
        "outcome": outcome.kind.value,
        "code": outcome.code,
        "started_at": started_at,
        "ended_at": ended_at,
    }


def appended(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The update that appends one line, dropping the oldest beyond the cap."""
    return {"attempts": {"$each": [dict(entry)], "$slice": -MAX_ATTEMPTS}}


def finished(
    row: Mapping[str, Any], state: DeliveryState, outcome: Outcome, entry: Mapping[str, Any] | None, now: datetime
) -> Row:
    """The row as it is kept once it ended."""
    kept = {name: value for name, value in row.items() if name not in {"lane", "due", "head", "lease", "followers"}}
    attempts = [*kept["attempts"], *([] if entry is None else [dict(entry)])]
    return kept | {
        "state": state.value,
        "finished_at": now,
        "code": outcome.code,
        "who_must_act": outcome.who_must_act.value,
        "remote_ids": dict(outcome.remote_ids),
        "attempts": attempts[-MAX_ATTEMPTS:],
    }


END_STATES = {
    OutcomeKind.DELIVERED: DeliveryState.DELIVERED,
    OutcomeKind.PERMANENT: DeliveryState.REJECTED,
    OutcomeKind.CANCELLED: DeliveryState.CANCELLED,
}
