"""Mailboxes, folders and messages of the operator; every accepted mail is also a file in the state folder."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Mail:
    """One stored mail. ``duplicate``: another mail with this Message-ID came to this mailbox before."""

    uid: int
    raw: bytes
    received_at: datetime
    sender: str
    envelope_id: str = ""
    duplicate: bool = False
    file: str = ""
    flags: set[str] = field(default_factory=set)
    _headers: dict[str, str] = field(default_factory=dict, repr=False)

    def header(self, name: str) -> str:
        """Decoded header value, empty if absent; read once, for the state is asked for again and again."""
        if name not in self._headers:
            self._headers[name] = str(BytesHeaderParser(policy=default).parsebytes(self.raw).get(name, "")).strip()
        return self._headers[name]

    @property
    def subject(self) -> str:
        """Subject with RFC 2047 words decoded."""
        return str(make_header(decode_header(self.header("Subject"))))

    def as_json(self) -> dict[str, Any]:
        """What ``GET /state/mailboxes`` shows."""
        return {
            "uid": self.uid,
            "message_id": self.header("Message-ID"),
            "from": self.sender,
            "subject": self.subject,
            "received_at": self.received_at.isoformat(),
            "sha256": hashlib.sha256(self.raw).hexdigest(),
            "size": len(self.raw),
            "envelope_id": self.envelope_id,
            "duplicate": self.duplicate,
            "file": self.file,
            "flags": sorted(self.flags),
        }


class Mailbox:
    """One mailbox with IMAP folders; uids grow over all folders."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.folders: dict[str, list[Mail]] = {"INBOX": []}
        self.message_ids: set[str] = set()
        self.changed = asyncio.Event()
        self._uids = itertools.count(1)
        self.next_uid = 1

    def take_uid(self) -> int:
        """A new uid."""
        uid = next(self._uids)
        self.next_uid = uid + 1
        return uid

    def notify(self) -> None:
        """Wake idle sessions."""
        self.changed.set()
        self.changed = asyncio.Event()


class MailStore:
    """All mailboxes of the operator."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mailboxes: dict[str, Mailbox] = {}
        self.duplicates: list[dict[str, str]] = []

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox of an address, created empty at first use."""
        key = address.lower()
        return self.mailboxes.setdefault(key, Mailbox(key))

    def deliver(self, address: str, raw: bytes, sender: str, envelope_id: str = "") -> Mail:
        """Put a mail into an inbox and write its file; a repeated Message-ID is accepted and recorded."""
        box = self.mailbox(address)
        mail = Mail(box.take_uid(), raw, datetime.now(UTC), sender, envelope_id)
        message_id = mail.header("Message-ID")
        mail.duplicate = bool(message_id) and message_id in box.message_ids
        box.message_ids.add(message_id)
        folder = self._folder / "mailboxes" / box.address
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{mail.uid:05d}.eml"
        path.write_bytes(raw)
        mail.file = str(path.relative_to(self._folder))
        if mail.duplicate:
            self.duplicates.append({"address": box.address, "message_id": message_id, "file": mail.file})
        box.folders["INBOX"].append(mail)
        box.notify()
        return mail

    def clear(self) -> None:
        """Forget every mail; files stay."""
        for box in self.mailboxes.values():
            box.folders = {"INBOX": []}
            box.message_ids.clear()
            box.notify()
        self.duplicates.clear()

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Mails by address, folders merged, oldest first."""
        return {
            address: sorted(
                (mail.as_json() for items in box.folders.values() for mail in items), key=lambda item: item["uid"]
            )
            for address, box in self.mailboxes.items()
        }
