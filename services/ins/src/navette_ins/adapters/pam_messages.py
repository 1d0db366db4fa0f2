"""Messages received over MLLP: each kept sealed as it came, with what became of it and the answer it got."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from navette_documents.hl7v2 import AckCode, Location, MessageError
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.adapters.identities import BlindIndex

MESSAGES = "pam_messages"

#: Bytes sealed at a time: a sealed field is limited to 64 KiB of text.
_CHUNK = 30_000


class MessageState(StrEnum):
    """What became of a message."""

    INTEGRATED = "integrated"
    TO_REVIEW = "to_review"
    """Integrated as far as the rules allow; a person has something to decide."""
    WAITING = "waiting"
    """Kept; what it says of the INS, and of a person known here, counts once INSi has verified it."""
    IGNORED = "ignored"
    """Of no concern to identities."""
    REFUSED = "refused"
    REPLAYED = "replayed"
    """Refused once, integrated by a replay."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a message and what is answered. Words of tables and positions only, no value of the message."""

    state: MessageState
    ack_code: AckCode
    reason: str | None = None
    condition: MessageError | None = None
    location: Location | None = None
    remarks: tuple[str, ...] = ()
    patient_id: str | None = None
    subject: str | None = None
    """Blind index of the sender's identifier of the person."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an operator sees of a message: names of systems and events, never of people."""

    sender: str | None
    application: str
    facility: str
    control_id: str
    event: str
    identity: str
    """Sender and MSH-10 as received: what makes two messages the same one. Stored as a blind index only."""


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """One message on its way into the store."""

    message_id: str
    raw: bytes
    header: Header
    received_at: datetime
    expires_at: datetime | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    """Listener and certificate of the peer."""
    whole: bool = True
    """False: only the first bytes were kept; it cannot be replayed."""


class MessageStore:
    """Messages inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring], index: BlindIndex) -> None:
        self._messages = uow.collection(MESSAGES)
        self._keyring = keyring
        self._index = index

    async def earlier(self, header: Header) -> list[Document]:
        """What was received from that sender under that MSH-10, without content."""
        return await self._messages.find({"key": self._key(header)}, {"sealed": False}).to_list()

    def answer_of(self, row: Document) -> bytes:
        """The answer a message got: it repeats names and numbers of the sender, so it is sealed too."""
        return self._opened(row["answer"])

    def digest(self, raw: bytes) -> str:
        """Recognises the very same bytes without telling anything of them."""
        return self._index.of(hashlib.sha256(raw).hexdigest(), "pam-content")

    async def add(self, received: Received, verdict: Verdict, answer: bytes, *, again: bool = False) -> None:
        """Store a message, or (`again`) what the same bytes came to this time.

        Raises DuplicateKeyError when the same message was stored meanwhile: to be tried again.
        """
        row = self._row(received) | _outcome(verdict) | {"answer": self._sealed(answer), "attempts": 1}
        if not again:
            await self._messages.insert_one(row)
            return
        update = _outcome(verdict) | {name: row[name] for name in ("answer", "received_at", "expires_at", "sender")}
        await self._messages.update_one({"_id": received.message_id}, {"$set": update, "$inc": {"attempts": 1}})

    async def find(self, message_id: str) -> tuple[Document, bytes] | None:
        """A message and its bytes."""
        row = await self._messages.find_one({"_id": message_id})
        return None if row is None else (row, self._opened(row["sealed"]))

    async def replayed(self, message_id: str, verdict: Verdict, *, by: str, at: datetime) -> None:
        """Write what a replay came to; the answer once given stays."""
        outcome = _outcome(verdict) | {"replayed_by": by, "replayed_at": at}
        await self._messages.update_one({"_id": message_id}, {"$set": outcome, "$inc": {"replays": 1}})

    async def settled(
        self, message_id: str, state: MessageState, remarks: Sequence[str], expires_at: datetime | None
    ) -> None:
        """Write what a message that waited came to."""
        outcome = {"state": state.value, "remarks": list(remarks), "expires_at": expires_at}
        await self._messages.update_one({"_id": message_id}, {"$set": outcome})

    async def newer(self, subject: str, than: datetime) -> bool:
        """Whether a later message about the same person was integrated."""
        taken = (MessageState.INTEGRATED, MessageState.TO_REVIEW, MessageState.WAITING, MessageState.REPLAYED)
        done = [one.value for one in taken]
        query = {"subject": subject, "received_at": {"$gt": than}, "state": {"$in": done}}
        return await self._messages.find_one(query, {"_id": True}) is not None

    def _row(self, received: Received) -> Document:
        header = received.header
        return {
            "_id": received.message_id,
            "key": self._key(header) if header.identity else received.message_id,
            "digest": self.digest(received.raw),
            "sender": header.sender,
            "application": header.application,
            "facility": header.facility,
            "control_id": header.control_id,
            "event": header.event,
            "received_at": received.received_at,
            "expires_at": received.expires_at,
            "size": len(received.raw),
            "whole": received.whole,
            "sealed": self._sealed(received.raw),
            **received.origin,
        }

    def _key(self, header: Header) -> str:
        return self._index.of(header.identity, "pam-key")

    def _sealed(self, raw: bytes) -> list[str]:
        keyring = self._keyring()
        pieces = [raw[start : start + _CHUNK] for start in range(0, len(raw), _CHUNK)] or [b""]
        return [Sealed.seal(base64.b64encode(piece).decode("ascii"), keyring).token for piece in pieces]

    def _opened(self, tokens: Sequence[str]) -> bytes:
        sealed: list[Sealed[str]] = [Sealed(token) for token in tokens]
        return b"".join(base64.b64decode(one.open(self._keyring(), str)) for one in sealed)


async def list_messages(database: AsyncDatabase[Document], *, states: Sequence[str], limit: int) -> list[Document]:
    """Messages newest first, without content."""
    hidden = {"sealed": False, "answer": False, "key": False, "digest": False, "subject": False}
    found = database[MESSAGES].find({"state": {"$in": list(states)}}, hidden)
    return await found.sort("received_at", -1).limit(limit).to_list()


def _outcome(verdict: Verdict) -> dict[str, Any]:
    return {
        "state": verdict.state.value,
        "ack_code": verdict.ack_code,
        "reason": verdict.reason,
        "condition": None if verdict.condition is None else verdict.condition.code,
        "location": None if verdict.location is None else str(verdict.location),
        "remarks": list(verdict.remarks),
        "patient_id": verdict.patient_id,
        "subject": verdict.subject,
    }
