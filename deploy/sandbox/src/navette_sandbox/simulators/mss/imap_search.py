"""SEARCH criteria of IMAP4rev1 (RFC 3501 §6.4.4), as many as a mail reader needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from navette_sandbox.simulators.mss.imap_parser import ImapSyntaxError, Token, number_set
from navette_sandbox.simulators.mss.mailboxes import Mail

Test = Callable[[int, Mail], bool]
"""Gets the sequence number and the mail."""

_FLAGS = {"SEEN": "\\Seen", "DELETED": "\\Deleted", "ANSWERED": "\\Answered", "FLAGGED": "\\Flagged"}


def _day(value: Token) -> date:
    try:
        return datetime.strptime(str(value), "%d-%b-%Y").date()  # noqa: DTZ007 - IMAP dates have no zone
    except ValueError as error:
        raise ImapSyntaxError("date") from error


class SearchParser:
    """Builds one test from the tokens of a SEARCH command."""

    def __init__(self, criteria: list[Token], count: int, highest_uid: int) -> None:
        self._tokens = list(criteria)
        self._count = count
        self._highest_uid = highest_uid

    def parse(self) -> Test:
        """All criteria together. Raises `ImapSyntaxError`."""
        tests: list[Test] = []
        while self._tokens:
            tests.append(self._one())
        return lambda number, mail: all(test(number, mail) for test in tests)

    def _next(self) -> Token:
        if not self._tokens:
            raise ImapSyntaxError("search")
        return self._tokens.pop(0)

    def _one(self) -> Test:
        token = self._next()
        if isinstance(token, list):
            return SearchParser(token, self._count, self._highest_uid).parse()
        key = token.upper()
        if key == "CHARSET":
            self._next()
            return self._one()
        return self._simple(key) or self._with_argument(key)

    def _simple(self, key: str) -> Test | None:
        if key == "ALL":
            return lambda _number, _mail: True
        if key in {"NEW", "RECENT", "OLD"}:
            return lambda _number, mail: (key == "OLD") == ("\\Seen" in mail.flags)
        if key in _FLAGS or (key.startswith("UN") and key[2:] in _FLAGS):
            wanted, flag = key in _FLAGS, _FLAGS[key.removeprefix("UN")] if key not in _FLAGS else _FLAGS[key]
            return lambda _number, mail: (flag in mail.flags) == wanted
        if key[0].isdigit() or key[0] == "*":
            inside = number_set(key, self._count)
            return lambda number, _mail: inside(number)
        return None

    def _with_argument(self, key: str) -> Test:
        if key == "NOT":
            inner = self._one()
            return lambda number, mail: not inner(number, mail)
        if key == "OR":
            first, second = self._one(), self._one()
            return lambda number, mail: first(number, mail) or second(number, mail)
        if key == "UID":
            inside = number_set(str(self._next()), self._highest_uid)
            return lambda _number, mail: inside(mail.uid)
        if key in {"KEYWORD", "UNKEYWORD"}:
            flag = str(self._next())
            return lambda _number, mail: (flag in mail.flags) == (key == "KEYWORD")
        if key in {"SINCE", "BEFORE", "ON"}:
            day = _day(self._next())
            compare: dict[str, Callable[[date], bool]] = {
                "SINCE": lambda at: at >= day,
                "BEFORE": lambda at: at < day,
                "ON": lambda at: at == day,
            }
            return lambda _number, mail: compare[key](mail.received_at.date())
        return self._text(key)

    def _text(self, key: str) -> Test:
        if key == "HEADER":
            name, wanted = str(self._next()), str(self._next()).casefold()
            return lambda _number, mail: _contains(mail, name, wanted)
        if key in {"FROM", "TO", "SUBJECT", "CC"}:
            wanted = str(self._next()).casefold()
            return lambda _number, mail: _contains(mail, key, wanted)
        if key in {"TEXT", "BODY"}:
            needle = str(self._next()).encode("utf-8", "surrogateescape").lower()
            return lambda _number, mail: needle in mail.raw.lower()
        raise ImapSyntaxError("search key")


def _contains(mail: Mail, name: str, wanted: str) -> bool:
    value = mail.subject if name.upper() == "SUBJECT" else mail.header(name)
    present = f"\n{name.lower()}:" in "\n" + mail.raw.split(b"\r\n\r\n", 1)[0].decode("latin-1").lower()
    return present and wanted in value.casefold()
