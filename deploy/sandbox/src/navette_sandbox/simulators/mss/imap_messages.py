"""State of an IMAP session, and the commands on the messages of its open folder (RFC 3501 §6.4)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from navette_sandbox.simulators.common import FaultBook
from navette_sandbox.simulators.mss.imap_fetch import fetch_item
from navette_sandbox.simulators.mss.imap_parser import ImapSyntaxError, Token, number_set, tokens
from navette_sandbox.simulators.mss.imap_search import SearchParser
from navette_sandbox.simulators.mss.mailboxes import Mail, Mailbox, MailStore
from navette_sandbox.simulators.mss.settings import MssSettings

UIDVALIDITY = 1


class ImapNoError(Exception):
    """The command is refused with NO."""


@dataclass(slots=True)
class MessageCommands:
    """What a connection knows, and what it can do with messages."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    store: MailStore
    settings: MssSettings
    faults: FaultBook
    context: ssl.SSLContext
    secure: bool = False
    identity: str = ""
    mailbox: Mailbox | None = None
    folder: str = ""
    read_only: bool = False
    finished: bool = field(default=False)

    async def _send(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape"))
        await self.writer.drain()

    def _box(self) -> Mailbox:
        if self.mailbox is None:
            raise ImapNoError("authentification attendue")
        return self.mailbox

    def _named(self, name: str) -> str:
        key = "INBOX" if name.upper() == "INBOX" else name
        if key not in self._box().folders:
            raise ImapNoError("[TRYCREATE] dossier inconnu")
        return key

    def _mails(self) -> list[Mail]:
        return self._box().folders[self.folder]

    # -- messages -----------------------------------------------------------------------------------

    async def _with_folder(self, verb: str, arguments: str, *, by_uid: bool) -> str:
        if self.mailbox is None or not self.folder:
            raise ImapNoError("dossier non ouvert")
        if verb == "SEARCH":
            return await self._search(arguments, by_uid=by_uid)
        if verb == "EXPUNGE":
            return await self._expunge(arguments if by_uid else "")
        numbered: dict[str, Callable[[list[tuple[int, Mail]], list[Token], bool], Awaitable[str]]] = {
            "FETCH": self._fetch,
            "STORE": self._store,
            "COPY": self._copy,
            "MOVE": self._move,
        }
        if verb not in numbered:
            raise ImapSyntaxError("commande inconnue")
        found = tokens(arguments)
        if len(found) < 2:
            raise ImapSyntaxError("nombre d'arguments")
        mails = self._mails()
        highest = max((mail.uid for mail in mails), default=0) if by_uid else len(mails)
        inside = number_set(str(found[0]), highest)
        chosen = [(n, mail) for n, mail in enumerate(mails, 1) if inside(mail.uid if by_uid else n)]
        return await numbered[verb](chosen, found[1:], by_uid)

    async def _search(self, arguments: str, *, by_uid: bool) -> str:
        mails = self._mails()
        highest = max((mail.uid for mail in mails), default=0)
        test = SearchParser(tokens(arguments), len(mails), highest).parse()
        found = [str(mail.uid if by_uid else n) for n, mail in enumerate(mails, 1) if test(n, mail)]
        await self._send(" ".join(["* SEARCH", *found]))
        return "SEARCH"

    async def _fetch(self, chosen: list[tuple[int, Mail]], arguments: list[Token], by_uid: bool) -> str:
        wanted = arguments[0] if isinstance(arguments[0], list) else arguments
        items = [str(item) for item in wanted]
        if by_uid and "UID" not in [item.upper() for item in items]:
            items.insert(0, "UID")
        for number, mail in chosen:
            out = b"* " + str(number).encode() + b" FETCH ("
            out += b" ".join([fetch_item(mail, item, read_only=self.read_only) for item in items])
            self.writer.write(out + b")\r\n")
        await self.writer.drain()
        return "FETCH"

    async def _store(self, chosen: list[tuple[int, Mail]], arguments: list[Token], by_uid: bool) -> str:
        if self.read_only:
            raise ImapNoError("dossier en lecture seule")
        mode, values = str(arguments[0]).upper(), arguments[1:]
        if not values or not re.fullmatch(r"[+-]?FLAGS(\.SILENT)?", mode):
            raise ImapSyntaxError("STORE")
        listed = values[0] if isinstance(values[0], list) else values
        flags = {str(flag) for flag in listed}
        for number, mail in chosen:
            if mode.startswith("+"):
                mail.flags |= flags
            elif mode.startswith("-"):
                mail.flags -= flags
            else:
                mail.flags = set(flags)
            if "SILENT" not in mode:
                uid = f"UID {mail.uid} " if by_uid else ""
                await self._send(f"* {number} FETCH ({uid}FLAGS ({' '.join(sorted(mail.flags))}))")
        return "STORE"

    async def _copy(self, chosen: list[tuple[int, Mail]], arguments: list[Token], by_uid: bool) -> str:
        del by_uid
        target = self._box().folders[self._named(str(arguments[0]))]
        copies = [
            Mail(
                self._box().take_uid(),
                mail.raw,
                mail.received_at,
                mail.sender,
                mail.envelope_id,
                file=mail.file,
                flags=set(mail.flags),
            )
            for _, mail in chosen
        ]
        target.extend(copies)
        return f"{self._copy_uid(chosen, copies)}COPY"

    @staticmethod
    def _copy_uid(chosen: list[tuple[int, Mail]], copies: list[Mail]) -> str:
        if not chosen:
            return ""
        old, new = ",".join(str(mail.uid) for _, mail in chosen), ",".join(str(mail.uid) for mail in copies)
        return f"[COPYUID {UIDVALIDITY} {old} {new}] "

    async def _move(self, chosen: list[tuple[int, Mail]], arguments: list[Token], by_uid: bool) -> str:
        if self.read_only:
            raise ImapNoError("dossier en lecture seule")
        await self._copy(chosen, arguments, by_uid)
        await self._remove([mail for _, mail in chosen])
        return "MOVE"

    async def _expunge(self, uids: str) -> str:
        if self.read_only:
            raise ImapNoError("dossier en lecture seule")
        highest = max((mail.uid for mail in self._mails()), default=0)
        inside = number_set(uids, highest) if uids else (lambda _uid: True)
        await self._remove([mail for mail in self._mails() if "\\Deleted" in mail.flags and inside(mail.uid)])
        return "EXPUNGE"

    async def _remove(self, gone: list[Mail]) -> None:
        mails = self._mails()
        for mail in gone:
            number = mails.index(mail) + 1
            mails.remove(mail)
            await self._send(f"* {number} EXPUNGE")
