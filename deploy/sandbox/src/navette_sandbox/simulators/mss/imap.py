"""One IMAP4rev1 session: enough for imaplib and IMAPClient, and for the reading loop of spec/mss.md §7.3."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable

from navette_sandbox.simulators.common import abort, peer_certificate
from navette_sandbox.simulators.mss.imap_messages import UIDVALIDITY, ImapNoError, MessageCommands
from navette_sandbox.simulators.mss.imap_parser import (
    ImapSyntaxError,
    Token,
    read_command,
    tokens,
)
from navette_sandbox.simulators.mss.smtp import mailbox_of

CAPABILITIES = "IMAP4rev1 IDLE MOVE UIDPLUS UNSELECT SASL-IR LITERAL+"


class ImapSession(MessageCommands):
    """One connection from greeting to LOGOUT."""

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
