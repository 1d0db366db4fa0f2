"""Messages to platforms: what each is about, in which state it is, and its sealed content.

The letter is what a message is written from; the text, once the message was sent for the first time, is what is sent
again byte for byte (spec/hl7v2.md §7). The document itself stays in GridFS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.events import Audience, RecipientRole
from navette_contracts.sealed import Keyring, Sealed
from pymongo.asynchronous.database import AsyncDatabase

from navette_report.domain.pfi.indicators import Indicators
from navette_report.domain.pfi.letter import Action, Letter
from navette_report.domain.pfi.succession import REPLAYABLE, MessageState
from navette_report.domain.pfi.writing import Written

MESSAGES = "platform_messages"


@dataclass(frozen=True, slots=True)
class PlatformMessage:
    """One message. `number` is its MSH-10, until it is refused and then written with another content."""

    number: str
    platform: str
    report_id: str
    version: int
    edition: int
    """versionNumber of the document."""
    unique_id: str
    replaces: str | None
    """uniqueId of the document whose place this one takes."""
    action: Action
    state: MessageState
    indicators: Indicators
    recipients: tuple[tuple[str, RecipientRole], ...]
    """Professionals it is mailed to."""
    scheduled_at: datetime
    remark: str | None
    letter: Sealed[Letter]
    text: Mapping[str, str] | None = None
    """Sealed text, charset, MSH-10 and token of the content, frozen at the first sending."""
    refused: Mapping[str, str] | None = None
    """MSH-10 and token of the content that was refused last."""

    @property
    def parties(self) -> tuple[Audience, ...]:
        """Whom the platform is to serve."""
        asked = (
            (Audience.DMP, self.indicators.to_dmp),
            (Audience.PROFESSIONALS, self.indicators.to_professionals),
            (Audience.PATIENT, self.indicators.to_patient),
        )
        return tuple(party for party, wanted in asked if wanted)


class PlatformMessages:
    """Messages inside one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._messages = uow.collection(MESSAGES)

    async def add(self, message: PlatformMessage) -> None:
        """Store a message about to be scheduled."""
        await self._messages.insert_one(_row(message))

    async def of(self, report_id: str, platform: str | None = None) -> list[PlatformMessage]:
        """The messages about a report, oldest first."""
        query = {"report_id": report_id} | ({} if platform is None else {"platform": platform})
        return [_message(row) async for row in self._messages.find(query).sort([("edition", 1), ("scheduled_at", 1)])]

    async def get(self, number: str) -> PlatformMessage | None:
        """The message of that number."""
        row = await self._messages.find_one({"_id": number})
        return None if row is None else _message(row)

    async def cited(self, control_id: str) -> PlatformMessage | None:
        """The message that was sent under that MSH-10."""
        row = await self._messages.find_one({"rewritten_as": control_id})
        return await self.get(control_id) if row is None else _message(row)

    async def ended(self, message: PlatformMessage, state: MessageState, *, refused: bool = False) -> None:
        """Write what became of a message. A refused one is written anew when it is replayed: something was
        corrected meanwhile, or it would be refused again.
        """
        change: dict[str, Any] = {"$set": {"state": state.value}}
        if refused and message.text is not None:
            known = {name: message.text.get(name, "") for name in ("number", "content")}
            change = {"$set": {"state": state.value, "refused": known}, "$unset": {"text": ""}}
        await self._messages.update_one({"_id": message.number}, change)

    async def take_over(self, number: str) -> None:
        """Write that a later document serves those of a message that is not there: it never leaves any more."""
        await self._if_not_there(number, MessageState.TAKEN_OVER)

    async def spoken_of(self, number: str) -> None:
        """Write that the platform speaks of a message it had refused, or seemed not to have: it may be there."""
        await self._if_not_there(number, MessageState.DOUBTFUL)

    async def _if_not_there(self, number: str, state: MessageState) -> None:
        not_there = {"_id": number, "state": {"$in": [one.value for one in REPLAYABLE]}}
        await self._messages.update_one(not_there, {"$set": {"state": state.value}})

    async def replayed(self, number: str) -> None:
        """Write that a message which certainly was not there is on its way again."""
        ended = {"_id": number, "state": {"$ne": MessageState.DOUBTFUL.value}}
        await self._messages.update_one(ended, {"$set": {"state": MessageState.SCHEDULED.value}})


async def messages_of(database: AsyncDatabase[Document], report_id: str, platform: str) -> list[PlatformMessage]:
    """Outside a transaction: the messages about a report to a platform, oldest first."""
    query = {"report_id": report_id, "platform": platform}
    rows = database[MESSAGES].find(query).sort([("edition", 1), ("scheduled_at", 1)])
    return [_message(row) async for row in rows]


async def stranded(database: AsyncDatabase[Document], platforms: Collection[str]) -> list[str]:
    """Numbers of the messages that wait for a platform which is none of these."""
    query = {"state": MessageState.SCHEDULED.value, "platform": {"$nin": sorted(platforms)}}
    return [row["_id"] async for row in database[MESSAGES].find(query, {"_id": True})]


async def freeze(
    database: AsyncDatabase[Document], number: str, text: Written, content: str, letter: Letter, keyring: Keyring
) -> Written:
    """Keep the text of a first sending and what it was written from; what was kept before wins.

    `content`: token that the same content has under whatever MSH-10.
    """
    token = Sealed[str].seal(text.text, keyring).token
    sealed = {"sealed": token, "charset": text.charset, "number": text.number, "content": content}
    recipients = [{"id": one.recipient_id, "role": one.role.value} for one in letter.addressees]
    whole = Sealed[Letter].seal(letter, keyring).token
    kept = {"text": sealed, "letter": whole, "indicators": asdict(letter.indicators), "recipients": recipients}
    change: dict[str, Any] = {"$set": kept}
    if text.number != number:
        change["$addToSet"] = {"rewritten_as": text.number}
    await database[MESSAGES].update_one({"_id": number, "text": {"$exists": False}}, change)
    row = await database[MESSAGES].find_one({"_id": number}, {"text": True})
    return text if row is None or "text" not in row else frozen(row["text"], keyring, number)


def frozen(text: Mapping[str, str], keyring: Keyring, number: str) -> Written:
    """The text of an earlier sending of the message `number`. Raises SealError."""
    return Written(Sealed[str](text["sealed"]).open(keyring, str), text["charset"], text.get("number", number))


def _row(message: PlatformMessage) -> Document:
    return {
        "_id": message.number,
        "platform": message.platform,
        "report_id": message.report_id,
        "version": message.version,
        "edition": message.edition,
        "unique_id": message.unique_id,
        "replaces": message.replaces,
        "action": message.action.value,
        "state": message.state.value,
        "indicators": asdict(message.indicators),
        "recipients": [{"id": name, "role": role.value} for name, role in message.recipients],
        "scheduled_at": message.scheduled_at,
        "remark": message.remark,
        "letter": message.letter.token,
    }


def _message(row: Document) -> PlatformMessage:
    return PlatformMessage(
        number=row["_id"],
        platform=row["platform"],
        report_id=row["report_id"],
        version=row["version"],
        edition=row["edition"],
        unique_id=row["unique_id"],
        replaces=row["replaces"],
        action=Action(row["action"]),
        state=MessageState(row["state"]),
        indicators=Indicators(**row["indicators"]),
        recipients=tuple((one["id"], RecipientRole(one["role"])) for one in row["recipients"]),
        scheduled_at=row["scheduled_at"],
        remark=row["remark"],
        letter=Sealed[Letter](row["letter"]),
        text=row.get("text"),
        refused=row.get("refused"),
    )
