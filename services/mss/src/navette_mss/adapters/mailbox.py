"""Reading our own mailbox by IMAP (stdlib, in a thread): notifications are looked for, nothing is changed."""

from __future__ import annotations

import asyncio
import imaplib
import re
from collections.abc import Callable

from navette_mss.adapters.operator_tls import OperatorTls
from navette_mss.settings import SaslStep
from navette_mss.use_cases.ports import Cursor, MailboxUnavailableError, StoredMail

MAX_MAIL_BYTES = 30_000_000
BATCH = 100


class ImapReader:
    """Reads what arrived after a cursor, over one connection per call."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: OperatorTls,
        *,
        sasl: SaslStep,
        timeout: float,
        password: Callable[[], str] = lambda: "",
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._sasl = sasl
        self._timeout = timeout
        self._password = password

    async def read_after(self, mailbox: str, cursor: Cursor) -> list[StoredMail]:
        """Mails after `cursor`, oldest first, at most `BATCH`. Raises `MailboxUnavailableError`."""
        try:
            return await asyncio.to_thread(self._read, mailbox, cursor)
        except (imaplib.IMAP4.error, OSError, EOFError) as error:
            raise MailboxUnavailableError(type(error).__name__) from None

    def _read(self, mailbox: str, cursor: Cursor) -> list[StoredMail]:
        with imaplib.IMAP4(self._host, self._port, timeout=self._timeout) as imap:
            imap.starttls(self._tls.context())
            self._authenticate(imap, mailbox)
            _expect(imap.select("INBOX", readonly=True))
            validity = int(imap.response("UIDVALIDITY")[1][0] or 0)
            after = cursor.uid if validity == cursor.validity else 0
            found = _expect(imap.uid("SEARCH", f"UID {after + 1}:*"))
            # "n:*" always names the last mail, even when its UID is lower than n.
            uids = sorted(uid for uid in map(int, (found[0] or b"").split()) if uid > after)[:BATCH]
            return [StoredMail(Cursor(validity, uid), _fetch(imap, uid)) for uid in uids]

    def _authenticate(self, imap: imaplib.IMAP4, mailbox: str) -> None:
        if self._sasl in ("external", "external-authzid"):
            identity = mailbox if self._sasl == "external-authzid" else ""
            imap.authenticate("EXTERNAL", lambda _: identity.encode())
        elif self._sasl == "plain":
            imap.authenticate("PLAIN", lambda _: f"\0{mailbox}\0{self._password()}".encode())
        else:
            imap.login(mailbox, self._password())


def _expect(answer: tuple[str, list[bytes | None]]) -> list[bytes | None]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(status)
    return data


def _fetch(imap: imaplib.IMAP4, uid: int) -> bytes | None:
    size = re.search(rb"RFC822\.SIZE (\d+)", _bytes(_expect(imap.uid("FETCH", str(uid), "(RFC822.SIZE)"))))
    if size is not None and int(size.group(1)) > MAX_MAIL_BYTES:
        return None
    for item in _expect(imap.uid("FETCH", str(uid), "(BODY.PEEK[])")):
        if isinstance(item, tuple):
            return bytes(item[1])
    return None


def _bytes(items: list[bytes | None]) -> bytes:
    return b" ".join(item if isinstance(item, bytes) else item[0] for item in items if item is not None)
