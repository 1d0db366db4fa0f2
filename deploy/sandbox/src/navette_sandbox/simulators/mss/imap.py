"""One IMAP4rev1 session: enough for imaplib and IMAPClient, and for the reading loop of spec/mss.md §7.3."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from navette_sandbox.simulators.common import FaultBook, abort, peer_certificate
from navette_sandbox.simulators.mss.imap_parser import (
    ImapSyntaxError,
    Token,
    number_set,
    read_command,
    tokens,
)
from navette_sandbox.simulators.mss.imap_search import SearchParser
from navette_sandbox.simulators.mss.mailboxes import Mail, Mailbox, MailStore
from navette_sandbox.simulators.mss.settings import MssSettings
from navette_sandbox.simulators.mss.smtp import mailbox_of

CAPABILITIES = "IMAP4rev1 IDLE MOVE UIDPLUS UNSELECT SASL-IR LITERAL+"
_SECTION = re.compile(r"(BODY|BODY\.PEEK)\[([^\]]*)\](?:<(\d+)(?:\.(\d+))?>)?", re.IGNORECASE)
UIDVALIDITY = 1


class ImapNoError(Exception):
    """The command is refused with NO."""


@dataclass(slots=True)
class ImapSession:
    """State of one connection."""

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

    async def run(self) -> None:
        """Serve until LOGOUT or end of file."""
        await self._send(f"* OK [CAPABILITY {self._capabilities()}] prêt")
        while not self.finished:
            line = await read_command(self.reader, lambda: self.writer.write(b"+ suite\r\n"))
            if line is None:
                return
            if self.faults.down():
                abort(self.writer)
                return
            tag, _, rest = line.partition(" ")
            verb, _, arguments = rest.partition(" ")
            slow = self.faults.take("imap", "slow")
            if slow is not None:
                await asyncio.sleep(slow.delay)
            try:
                done = await self._command(verb.upper(), arguments)
                await self._send(f"{tag} OK {done}")
            except ImapNoError as error:
                await self._send(f"{tag} NO {error}")
            except ImapSyntaxError as error:
                await self._send(f"{tag} BAD {error}")
            if verb.upper() == "STARTTLS" and not self.secure:
                await self._upgrade()

    def _capabilities(self) -> str:
        if not self.secure:
            return f"{CAPABILITIES} STARTTLS LOGINDISABLED"
        return f"{CAPABILITIES} AUTH=EXTERNAL"

    async def _send(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape"))
        await self.writer.drain()

    async def _upgrade(self) -> None:
        await self.writer.start_tls(self.context, ssl_handshake_timeout=10)
        self.secure = True
        self.identity = mailbox_of(peer_certificate(self.writer))

    async def _command(self, verb: str, arguments: str) -> str:
        if verb == "UID":
            verb, _, arguments = arguments.partition(" ")
            return await self._with_folder(verb.upper(), arguments, by_uid=True)
        plain: dict[str, Callable[[str], Awaitable[str]]] = {
            "CAPABILITY": self._capability,
            "NOOP": self._noop,
            "CHECK": self._noop,
            "LOGOUT": self._logout,
            "STARTTLS": self._starttls,
            "AUTHENTICATE": self._authenticate,
            "LOGIN": self._login,
        }
        if verb in plain:
            return await plain[verb](arguments)
        if self.mailbox is None:
            raise ImapNoError("authentification attendue")
        owned: dict[str, Callable[[str], Awaitable[str]]] = {
            "SELECT": self._select,
            "EXAMINE": self._examine,
            "LIST": self._list,
            "CREATE": self._create,
            "STATUS": self._status,
            "APPEND": self._append,
            "IDLE": self._idle,
            "CLOSE": self._close,
            "UNSELECT": self._unselect,
        }
        if verb in owned:
            return await owned[verb](arguments)
        return await self._with_folder(verb, arguments, by_uid=False)

    # -- before a mailbox is open -------------------------------------------------------------------

    async def _capability(self, _: str) -> str:
        await self._send(f"* CAPABILITY {self._capabilities()}")
        return "CAPABILITY"

    async def _noop(self, _: str) -> str:
        if self.folder and self.mailbox is not None:
            await self._send(f"* {len(self._mails())} EXISTS")
        return "NOOP"

    async def _logout(self, _: str) -> str:
        await self._send("* BYE au revoir")
        self.finished = True
        return "LOGOUT"

    async def _starttls(self, _: str) -> str:
        if self.secure:
            raise ImapSyntaxError("STARTTLS déjà fait")
        return "STARTTLS"

    async def _authenticate(self, arguments: str) -> str:
        mechanism, _, initial = arguments.partition(" ")
        if not self.secure or mechanism.upper() != "EXTERNAL":
            raise ImapNoError("mécanisme refusé")
        if not initial:
            await self._send("+ ")
            initial = (await self.reader.readline()).decode("ascii", "replace").strip()
        try:
            identity = "" if initial == "=" else base64.b64decode(initial, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ImapSyntaxError("base64") from error
        if not self.identity or identity.lower() not in {"", self.identity}:
            raise ImapNoError("[AUTHENTICATIONFAILED] identité différente du certificat")
        self.mailbox = self.store.mailbox(self.identity)
        return "AUTHENTICATE"

    async def _login(self, arguments: str) -> str:
        user, password = (str(item) for item in self._exactly(arguments, 2))
        known = self.settings.passwords.get(user.lower())
        if not self.secure or user.lower() != self.identity or known is None or known != password:
            raise ImapNoError("[AUTHENTICATIONFAILED] refusé")
        self.mailbox = self.store.mailbox(self.identity)
        return "LOGIN"

    # -- folders ------------------------------------------------------------------------------------

    @staticmethod
    def _exactly(arguments: str, count: int) -> list[Token]:
        found = tokens(arguments)
        if len(found) != count:
            raise ImapSyntaxError("nombre d'arguments")
        return found

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

    async def _select(self, arguments: str) -> str:
        self.folder = self._named(str(self._exactly(arguments, 1)[0]))
        self.read_only = False
        await self._send(
            "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)",
            "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*)] ok",
            f"* {len(self._mails())} EXISTS",
            "* 0 RECENT",
            f"* OK [UIDVALIDITY {UIDVALIDITY}] ok",
            f"* OK [UIDNEXT {self._box().next_uid}] ok",
        )
        return "[READ-WRITE] SELECT"

    async def _examine(self, arguments: str) -> str:
        await self._select(arguments)
        self.read_only = True
        return "[READ-ONLY] EXAMINE"

    async def _list(self, arguments: str) -> str:
        pattern = str(self._exactly(arguments, 2)[1])
        wanted = re.compile(re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*") or ".*")
        names = [name for name in self._box().folders if wanted.fullmatch(name)]
        await self._send(*(f'* LIST () "/" "{name}"' for name in names))
        return "LIST"

    async def _create(self, arguments: str) -> str:
        name = str(self._exactly(arguments, 1)[0])
        if name in self._box().folders:
            raise ImapNoError("[ALREADYEXISTS] dossier existant")
        self._box().folders[name] = []
        return "CREATE"

    async def _status(self, arguments: str) -> str:
        name = self._named(str(self._exactly(arguments, 2)[0]))
        mails = self._box().folders[name]
        unseen = sum("\\Seen" not in mail.flags for mail in mails)
        await self._send(
            f'* STATUS "{name}" (MESSAGES {len(mails)} UNSEEN {unseen} UIDVALIDITY {UIDVALIDITY} '
            f"UIDNEXT {self._box().next_uid})"
        )
        return "STATUS"

    async def _append(self, arguments: str) -> str:
        found = tokens(arguments)
        name = self._named(str(found[0]))
        raw = str(found[-1]).encode("utf-8", "surrogateescape")
        mail = self.store.deliver(self._box().address, raw, self._box().address)
        if name != "INBOX":
            self._box().folders["INBOX"].remove(mail)
            self._box().folders[name].append(mail)
        return f"[APPENDUID {UIDVALIDITY} {mail.uid}] APPEND"

    async def _idle(self, _: str) -> str:
        await self._send("+ idling")
        done = asyncio.ensure_future(self.reader.readline())
        try:
            while not done.done():
                changed = asyncio.ensure_future(self._box().changed.wait())
                await asyncio.wait({done, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if not done.done() and self.folder:
                    await self._send(f"* {len(self._mails())} EXISTS")
        finally:
            done.cancel()
        return "IDLE"

    async def _close(self, _: str) -> str:
        if self.folder and not self.read_only:
            self._box().folders[self.folder] = [mail for mail in self._mails() if "\\Deleted" not in mail.flags]
        self.folder = ""
        return "CLOSE"

    async def _unselect(self, _: str) -> str:
        self.folder = ""
        return "UNSELECT"

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
            out += b" ".join([self._item(mail, item) for item in items])
            self.writer.write(out + b")\r\n")
        await self.writer.drain()
        return "FETCH"

    def _item(self, mail: Mail, item: str) -> bytes:
        key = item.upper()
        if key == "UID":
            return f"UID {mail.uid}".encode()
        if key == "FLAGS":
            return f"FLAGS ({' '.join(sorted(mail.flags))})".encode()
        if key == "INTERNALDATE":
            return f'INTERNALDATE "{mail.received_at.strftime("%d-%b-%Y %H:%M:%S +0000")}"'.encode()
        if key == "RFC822.SIZE":
            return f"RFC822.SIZE {len(mail.raw)}".encode()
        shorthand = {"RFC822": "BODY[]", "RFC822.HEADER": "BODY.PEEK[HEADER]", "RFC822.TEXT": "BODY[TEXT]"}
        match = _SECTION.fullmatch(shorthand.get(key, item))
        if match is None:
            raise ImapSyntaxError("élément FETCH inconnu")
        if match[1].upper() == "BODY" and not self.read_only:
            mail.flags.add("\\Seen")
        content = _section(mail.raw, match[2])
        label = key if key in shorthand else f"BODY[{match[2]}]"
        if match[3] is not None:
            start = int(match[3])
            content = content[start : start + int(match[4])] if match[4] else content[start:]
            label += f"<{start}>"
        return f"{label} {{{len(content)}}}\r\n".encode() + content

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


def _section(raw: bytes, section: str) -> bytes:
    head, blank, body = raw.partition(b"\r\n\r\n")
    head += blank
    key = section.upper()
    if key == "":
        return raw
    if key == "HEADER":
        return head
    if key == "TEXT":
        return body
    match = re.fullmatch(r"HEADER\.FIELDS(\.NOT)? \(([^)]*)\)", key)
    if match is None:
        raise ImapSyntaxError("section inconnue")
    wanted = {name.strip('"') for name in match[2].split()}
    lines = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", head)
    keep = [
        line for line in lines if (line.split(b":", 1)[0].decode("latin-1").upper() in wanted) == (match[1] is None)
    ]
    return b"".join(keep) + b"\r\n"
