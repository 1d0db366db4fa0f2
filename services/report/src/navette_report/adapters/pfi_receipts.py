"""What came in from platforms: each message kept sealed as it came, what became of it, and the answer it got."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from pymongo.asynchronous.database import AsyncDatabase

RECEIPTS = "platform_receipts"
_PIECE = 30_000
_HIDDEN = {"sealed": False, "answer": False, "key": False, "digest": False}


class ReceiptState(StrEnum):
    """What became of a receipt."""

    FOLDED = "folded"
    """On the journey."""
    TO_REVIEW = "to-review"
    """Taken, but about a mailbox our message did not name: a person has to look."""
    REFUSED = "refused"
    CLOSED = "closed"
    """A person looked at it, and nothing more comes of it."""


OPEN = (ReceiptState.REFUSED, ReceiptState.TO_REVIEW)
"""Those that ask something of somebody."""


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """What became of a receipt and what is answered: words of tables, no value of the message."""

    state: ReceiptState
    ack_code: str
    reason: str | None = None
    number: str | None = None
    """MSH-10 of our message it is about."""
    report_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedReceipt:
    """One message as it came. `key` tells sender and MSH-10, "" when it has none."""

    receipt_id: str
    raw: bytes
    key: str
    platform: str | None
    event: str
    received_at: datetime
    expires_at: datetime | None
    origin: Mapping[str, str]


class ReceiptStore:
    """Receipts inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring]) -> None:
        self._receipts = uow.collection(RECEIPTS)
        self._keyring = keyring

    async def earlier(self, key: str) -> list[Document]:
        """What came from that sender under that MSH-10."""
        return await self._receipts.find({"key": _digest(key.encode())}).to_list() if key else []

    async def came_again(self, row: Document, at: datetime) -> bytes:
        """Count a repetition; the answer given the first time."""
        await self._receipts.update_one({"_id": row["_id"]}, {"$inc": {"repeats": 1}, "$set": {"repeated_at": at}})
        return self._opened(row["answer"])

    async def add(self, received: ReceivedReceipt, verdict: ReceiptVerdict, answer: bytes) -> None:
        """Store one. Raises DuplicateKeyError when it was stored meanwhile: to be tried again."""
        row: dict[str, Any] = {
            "_id": received.receipt_id,
            "key": _digest(received.key.encode()) if received.key else received.receipt_id,
            "digest": _digest(received.raw),
            "platform": received.platform,
            "event": received.event,
            "received_at": received.received_at,
            "expires_at": received.expires_at,
            "state": verdict.state.value,
            "ack_code": verdict.ack_code,
            "reason": verdict.reason,
            "number": verdict.number,
            "report_id": verdict.report_id,
            "repeats": 0,
            "sealed": self._sealed(received.raw),
            "answer": self._sealed(answer),
            **received.origin,
        }
        await self._receipts.insert_one(row)

    async def remove(self, receipt_id: str) -> None:
        """Forget one that was answered AR and has come again."""
        await self._receipts.delete_one({"_id": receipt_id})

    async def close(self, receipt_id: str, *, by: str, at: datetime, why: str, expires_at: datetime) -> Document | None:
        """Close an open one; the row as it is then, None for one that is not open."""
        closed = {
            "state": ReceiptState.CLOSED.value,
            "closed_by": by,
            "closed_at": at,
            # A person writes what they like.
            "closed_because": Sealed[str].seal(why, self._keyring()).token,
            "expires_at": expires_at,
        }
        is_open = {"_id": receipt_id, "state": {"$in": [one.value for one in OPEN]}}
        done = await self._receipts.update_one(is_open, {"$set": closed})
        return await self.get(receipt_id) if done.modified_count else None

    async def get(self, receipt_id: str) -> Document | None:
        """One without its content."""
        return await self._receipts.find_one({"_id": receipt_id}, _HIDDEN)

    def same(self, row: Document, raw: bytes) -> bool:
        """Whether a row holds these very bytes."""
        return bool(row["digest"] == _digest(raw))

    def _sealed(self, raw: bytes) -> list[str]:
        keyring = self._keyring()
        pieces = [raw[start : start + _PIECE] for start in range(0, len(raw), _PIECE)] or [b""]
        return [Sealed.seal(base64.b64encode(piece).decode("ascii"), keyring).token for piece in pieces]

    def _opened(self, tokens: Sequence[str]) -> bytes:
        sealed: list[Sealed[str]] = [Sealed(token) for token in tokens]
        return b"".join(base64.b64decode(one.open(self._keyring(), str)) for one in sealed)


async def list_receipts(database: AsyncDatabase[Document], *, states: Sequence[str], limit: int) -> list[Document]:
    """Receipts newest first, without content."""
    found = database[RECEIPTS].find({"state": {"$in": list(states)}}, _HIDDEN)
    return await found.sort("received_at", -1).limit(limit).to_list()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
