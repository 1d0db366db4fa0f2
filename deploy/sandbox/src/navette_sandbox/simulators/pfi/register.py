"""What the platform holds: documents by uniqueId, messages by sender and MSH-10."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from navette_sandbox.simulators.pfi.content import Content
from navette_sandbox.simulators.pfi.er7 import Message, Refused
from navette_sandbox.simulators.pfi.structure import Frame


@dataclass(slots=True)
class Document:
    """One document and where it stands: current, replaced or deleted."""

    unique_id: str
    set_id: str
    sha256: str
    size: int
    status: str
    replaces: str
    to_dmp: bool
    mailed: list[str]
    received_at: str
    history: list[str] = field(default_factory=list)
    """MSH-10 of every message about it."""


@dataclass(slots=True)
class Taken:
    """One message that was taken."""

    control_id: str
    event: str
    action: str
    unique_id: str
    indicators: dict[str, bool]
    file: str
    received_at: str
    repeated: int = 0
    """How often the same bytes came again."""


class Register:
    """Documents and messages, in memory; the messages also as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "messages"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.documents: dict[str, Document] = {}
        self.messages: list[Taken] = []
        self._answers: dict[str, tuple[str, bytes, Taken]] = {}

    def clear(self) -> None:
        """Forget everything but the files."""
        self.documents.clear()
        self.messages.clear()
        self._answers.clear()

    def answered(self, message: Message, raw: bytes) -> bytes | None:
        """The answer already given to these bytes, None for a new message. Raises `Refused` for a number used twice."""
        known = self._answers.get(_key(message))
        if known is None:
            return None
        digest, answer, taken = known
        if digest != hashlib.sha256(raw).hexdigest():
            raise Refused("199", "msh.control_id_reused", "MSH^1^10")
        taken.repeated += 1
        return answer

    def check_life_cycle(self, frame: Frame, content: Content) -> None:
        """Raises `Refused`: a document that exists already, or a target that is not the last version."""
        unique_id = content.facts.unique_id
        known = self.documents.get(unique_id)
        if frame.action == "delete":
            if known is None or known.status != "current":
                raise Refused("207", "delete.target", "TXA^1^12", application="900")
            if known.sha256 != content.sha256:
                raise Refused("207", "delete.changed", "OBX^1^5", application="900")
            return
        if known is not None:
            raise Refused("207", "document.duplicate", "TXA^1^12", application="906")
        if frame.action == "replace":
            (replaced,) = content.facts.parents
            target = self.documents.get(replaced)
            if target is None or target.status != "current":
                raise Refused("207", "replace.target", "TXA^1^13", application="900")
            if target.set_id != content.facts.set_id:
                raise Refused("207", "replace.set", "OBX^1^5", application="900")

    def take(self, message: Message, raw: bytes, frame: Frame, content: Content) -> Taken:
        """Store a message found in order and what it does to the documents."""
        number, unique_id = message.msh.part(10), content.facts.unique_id
        now = datetime.now(UTC).isoformat()
        event = message.msh.part(9, 2)
        file = f"{len(self.messages) + 1:03d}-{message.msh.part(9).lower()}-{event.lower()}-{frame.action}.hl7"
        (self._folder / file).write_bytes(raw)
        taken = Taken(number, event, frame.action, unique_id, content.indicators, file, now)
        self.messages.append(taken)
        if frame.action == "delete":
            self.documents[unique_id].status = "deleted"
        else:
            for replaced in content.facts.parents:
                self.documents[replaced].status = "replaced"
            mailed = [*content.professionals, *([content.patient] if content.patient else [])]
            self.documents[unique_id] = Document(
                unique_id=unique_id,
                set_id=content.facts.set_id,
                sha256=content.sha256,
                size=len(content.cda),
                status="current",
                replaces=next(iter(content.facts.parents), ""),
                to_dmp=content.indicators["DESTDMP"],
                mailed=mailed,
                received_at=now,
            )
        self.documents[unique_id].history.append(number)
        return taken

    def remember(self, message: Message, raw: bytes, answer: bytes, taken: Taken) -> None:
        """Keep the answer, so that the same bytes get the same one."""
        self._answers[_key(message)] = (hashlib.sha256(raw).hexdigest(), answer, taken)

    def as_json(self, what: str) -> list[dict[str, Any]]:
        """The documents or the messages."""
        found = self.documents.values() if what == "documents" else self.messages
        plain: list[dict[str, Any]] = json.loads(json.dumps([asdict(one) for one in found]))
        return plain


def _key(message: Message) -> str:
    return "|".join((message.msh.part(3), message.msh.part(4), message.msh.part(10)))
