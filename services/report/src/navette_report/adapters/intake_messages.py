"""Received reports as they came: the bytes sealed, and beside them what lists and rules need (no health data)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.blind_index import BlindIndex
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring
from navette_contracts.sealed_bytes import open_bytes, seal_bytes

from navette_report.adapters.patients import KeyringSource

MESSAGES = "intake_messages"
CONTENTS = "intake_contents"
HEADER_ONLY = {"sealed": False}
"""Projection of what is read when the content is not wanted."""
_PIECE = 8 * 1024 * 1024
"""Bytes of one row of content: a document of MongoDB holds 16 MB at most."""
_INLINE = 64 * 1024
"""Up to here the content lies in the row itself: one write less."""


class MessageState(StrEnum):
    """What became of a message."""

    RECEIVED = "received"
    """Durable and answered; not integrated yet."""
    INTEGRATED = "integrated"
    FILED = "filed"
    """A document of a correspondent: it is with the received documents, filed or to be filed."""
    TO_REVIEW = "to_review"
    """Integrated; a person has something to complete."""
    WAITING = "waiting"
    """Taken in, and nothing done with it: somebody must act first."""
    REFUSED = "refused"
    """Answered AE or AR: the sender must act."""
    DUPLICATE = "duplicate"
    """Says nothing that was not known."""
    SET_ASIDE = "set_aside"
    """A person decided that nothing comes of it."""


OPEN = (MessageState.WAITING, MessageState.REFUSED, MessageState.TO_REVIEW)
"""What a list shows unless asked otherwise."""
UNFINISHED = (MessageState.RECEIVED, MessageState.WAITING)
"""Never forgotten, however old."""


@dataclass(frozen=True, slots=True, repr=False)
class NewMessage:
    """One message on its way into the store; `content` is sealed already."""

    message_id: str
    key: str
    digest: str
    form: str
    """hl7 or json."""
    fields: Mapping[str, Any]
    """Words of its header that operators may see."""
    received_at: datetime
    size: int
    content: Sequence[bytes]
    whole: bool = True
    """False: it can never be integrated (only its first bytes were kept, or it has no header)."""
    state: MessageState = MessageState.RECEIVED
    ack_code: str = "AA"
    reason: str | None = None
    condition: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a message came to. Codes and ids only."""

    state: MessageState
    reason: str | None = None
    remarks: tuple[str, ...] = ()
    report_id: str | None = None
    version: int | None = None
    awaits: tuple[str, ...] = ()
    """Tokens of the patient it waits for."""
    refers: tuple[str, ...] = field(default=())
    """Tokens of the documents and the examination it names."""


class Tokens:
    """Blind tokens of messages and documents."""

    def __init__(self, index: BlindIndex) -> None:
        self._index = index

    def key(self, *parts: str) -> str:
        """What makes two messages the same one."""
        return self._index.of("|".join(parts), "intake-key")

    def digest(self, data: bytes) -> str:
        """Recognises the very same bytes without telling anything of them."""
        return self._index.of(hashlib.sha256(data).hexdigest(), "intake-content")

    def document(self, site_id: str, sender: str, name: str) -> str:
        """A document or examination as a sender names it for a site: nobody names one of another site."""
        return self._index.of(f"{site_id}|{sender}|{name}", "intake-document")


def sealed_pieces(data: bytes, keyring: Keyring) -> list[bytes]:
    """The content in pieces that fit the database."""
    return [seal_bytes(data[start : start + _PIECE], keyring) for start in range(0, len(data), _PIECE)] or [
        seal_bytes(b"", keyring)
    ]


async def close_reviews(uow: UnitOfWork, *, site_id: str, report_id: str) -> None:
    """A radiologist signed the report: what its messages left to complete is done."""
    query = {"site_id": site_id, "state": MessageState.TO_REVIEW.value, "report_id": report_id}
    update = {"$set": {"state": MessageState.INTEGRATED.value}}
    await uow.collection(MESSAGES).update_many(query, update)


class MessageStore:
    """Messages inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: KeyringSource, *, keep: timedelta) -> None:
        self._messages = uow.collection(MESSAGES)
        self._contents = uow.collection(CONTENTS)
        self._now = uow.now
        self._keyring = keyring
        self._keep = keep

    async def earlier(self, keys: Iterable[str]) -> list[Document]:
        """What was received under these keys."""
        return await self._messages.find({"key": {"$in": list(keys)}}, HEADER_ONLY).to_list()

    async def add(self, messages: Sequence[NewMessage]) -> None:
        """Store messages and their contents. Raises DuplicateKeyError when one was stored meanwhile."""
        if not messages:
            return
        await self._messages.insert_many([self._row(one) for one in messages])
        contents = [
            {"_id": f"{one.message_id}.{n}", "message_id": one.message_id, "n": n, "data": piece}
            | self._expiry(one.state, whole=one.whole)
            for one in messages
            if not _is_inline(one)
            for n, piece in enumerate(one.content)
        ]
        if contents:
            await self._contents.insert_many(contents)

    async def accept(self, row: Document) -> None:
        """A message that was answered AR came again and is taken in now."""
        fields = {"state": MessageState.RECEIVED.value, "ack_code": "AA", "received_at": self._now, "expires_at": None}
        cleared = dict.fromkeys(("reason", "condition", "location"))
        names = {name: row[name] for name in ("sender", "site_id", "certificate") if name in row}
        await self._messages.update_one({"_id": row["_id"]}, {"$set": fields | cleared | names})
        await self._contents.update_many({"message_id": row["_id"]}, {"$set": {"expires_at": None}})

    async def get(self, message_id: str) -> Document | None:
        """A message without its content."""
        return await self._messages.find_one({"_id": message_id}, HEADER_ONLY)

    async def content(self, message_id: str) -> bytes:
        """The bytes as received. Raises SealError when the keyring cannot open them."""
        row = await self._messages.find_one({"_id": message_id}, {"sealed": True})
        pieces = [] if row is None else [row["sealed"]] if "sealed" in row else await self._pieces(message_id)
        return b"".join(open_bytes(piece, self._keyring()) for piece in pieces)

    async def _pieces(self, message_id: str) -> list[bytes]:
        rows = await self._contents.find({"message_id": message_id}).sort("n", 1).to_list()
        return [row["data"] for row in rows]

    async def settle(self, message_id: str, settled: Settled, **more: Any) -> None:
        """Write what a message came to; one that asks nothing of anybody is forgotten after the time of keeping."""
        fields = {
            "state": settled.state.value,
            "reason": settled.reason,
            "remarks": list(settled.remarks),
            "report_id": settled.report_id,
            "version": settled.version,
            "awaits": list(settled.awaits),
            "refers": list(settled.refers),
            "settled_at": self._now,
        }
        expiry = self._expiry(settled.state)
        update = {"$set": fields | expiry | more, "$inc": {"attempts": 1}}
        await self._messages.update_one({"_id": message_id}, update)
        await self._contents.update_many({"message_id": message_id}, {"$set": expiry})

    async def requeue(self, message_id: str) -> None:
        """Make a message due again."""
        fields = {"state": MessageState.RECEIVED.value, "expires_at": None}
        await self._messages.update_one({"_id": message_id}, {"$set": fields})

    async def note(self, message_id: str, *, by: str) -> None:
        """Remember who decided about a message last."""
        await self._messages.update_one({"_id": message_id}, {"$set": {"decided_by": by, "decided_at": self._now}})

    async def waits_before(self, message_id: str, refers: Sequence[str]) -> bool:
        """Whether an earlier message about one of these names still waits."""
        return await self._earlier_is(MessageState.WAITING, message_id, refers)

    async def due_before(self, message_id: str, refers: Sequence[str]) -> bool:
        """Whether an earlier message about one of these names was postponed, or let go, and is still due."""
        return await self._earlier_is(MessageState.RECEIVED, message_id, refers)

    async def _earlier_is(self, state: MessageState, message_id: str, refers: Sequence[str]) -> bool:
        query = {"refers": {"$in": list(refers)}, "state": state.value, "_id": {"$lt": message_id}}
        return await self._messages.find_one(query, {"_id": 1}) is not None

    async def refer(self, message_id: str, refers: Sequence[str]) -> None:
        """Remember what a message is about that stays due: those behind it must not overtake it."""
        await self._messages.update_one({"_id": message_id}, {"$set": {"refers": list(refers)}})

    async def release(self, refers: Sequence[str]) -> None:
        """Let those go on that waited behind a message about these names."""
        query = {"refers": {"$in": list(refers)}, "state": MessageState.WAITING.value, "reason": "earlier_waiting"}
        await self._messages.update_many(query, {"$set": {"state": MessageState.RECEIVED.value}})

    async def release_awaiting(self, tokens: Sequence[str]) -> bool:
        """Let those go on that wait for a patient of these tokens; whether there were any."""
        query = {"awaits": {"$in": list(tokens)}, "state": MessageState.WAITING.value}
        done = await self._messages.update_many(query, {"$set": {"state": MessageState.RECEIVED.value}})
        return bool(done.modified_count)

    def _row(self, one: NewMessage) -> Document:
        return {
            "_id": one.message_id,
            "key": one.key,
            "digest": one.digest,
            "form": one.form,
            **one.fields,
            "received_at": one.received_at,
            "size": one.size,
            **({"sealed": one.content[0]} if _is_inline(one) else {}),
            "whole": one.whole,
            "state": one.state.value,
            "ack_code": one.ack_code,
            "reason": one.reason,
            "condition": one.condition,
            "location": one.location,
            "remarks": [],
            "report_id": None,
            "version": None,
            "attempts": 0,
            **self._expiry(one.state, whole=one.whole),
        }

    def _expiry(self, state: MessageState, *, whole: bool = True) -> dict[str, datetime | None]:
        stays = state in UNFINISHED or (state is MessageState.REFUSED and whole)
        return {"expires_at": None if stays else self._now + self._keep}


def _is_inline(one: NewMessage) -> bool:
    return len(one.content) == 1 and len(one.content[0]) <= _INLINE
