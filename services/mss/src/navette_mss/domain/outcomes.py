"""What each answer of the operator means: tables, not code (spec/mss.md §5, spec/dsr.md §5 "SMTP causes")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from navette_contracts.events import WhoMustAct


class Stage(StrEnum):
    """How far a transmission had come."""

    CONNECT = "connect"
    SESSION = "session"
    """TLS, authentication, MAIL FROM: nothing said about the recipient yet."""
    RECIPIENT = "recipient"
    DATA = "data"


class Verdict(StrEnum):
    """Class of an answer."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    DOWN = "down"
    """Nobody can be reached by this operator now: later, and not report by report."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Class of an answer and who can change something about it."""

    verdict: Verdict
    who: WhoMustAct = WhoMustAct.NOBODY


_RETRY = (101, 111, 422, 431, 441, 442, 450, 451, 452)
_DOWN = (420, 421, 454, 535)
"""535: the operator refuses our login. Reports wait and the breaker slows down: each refused login costs more."""
_ACCEPTED = (250, 251, 252)
_ADDRESS = (510, 512, 513, 550, 551, 553)
_MAILBOX = (523, 552)
_CONFIGURATION = (432, 500, 501, 502, 503, 504, 530, 534, 538, 555)
_FINAL = (541, 554)

_TABLE: dict[int, Meaning] = (
    dict.fromkeys(_ACCEPTED, Meaning(Verdict.ACCEPTED))
    | dict.fromkeys(_RETRY, Meaning(Verdict.RETRY))
    | dict.fromkeys(_DOWN, Meaning(Verdict.DOWN))
    | dict.fromkeys((*_ADDRESS, *_MAILBOX, *_FINAL), Meaning(Verdict.REFUSED, WhoMustAct.SECRETARY))
    | dict.fromkeys(_CONFIGURATION, Meaning(Verdict.REFUSED, WhoMustAct.ADMINISTRATOR))
)


def smtp_meaning(code: int, stage: Stage) -> Meaning:
    """Meaning of an SMTP answer.

    An address code before any recipient was named speaks of our own mailbox, so it is the administrator's.
    A code of no table follows its first digit.
    """
    found = _TABLE.get(code)
    if found is None:
        found = Meaning(Verdict.RETRY) if code < 500 else Meaning(Verdict.REFUSED, WhoMustAct.SECRETARY)
    before_recipient = stage in (Stage.CONNECT, Stage.SESSION)
    if found.verdict is Verdict.REFUSED and before_recipient:
        return Meaning(Verdict.REFUSED, WhoMustAct.ADMINISTRATOR)
    if found.verdict is Verdict.RETRY and before_recipient:
        return Meaning(Verdict.DOWN)
    return found


@dataclass(frozen=True, slots=True)
class LocalRefusal:
    """A reason found before anything is sent."""

    code: str
    who: WhoMustAct


LOCAL_REFUSALS: dict[str, LocalRefusal] = {
    one.code: one
    for one in (
        LocalRefusal("address-unknown", WhoMustAct.SECRETARY),
        LocalRefusal("address-ambiguous", WhoMustAct.SECRETARY),
        LocalRefusal("address-malformed", WhoMustAct.SECRETARY),
        LocalRefusal("domain-not-trusted", WhoMustAct.ADMINISTRATOR),
        LocalRefusal("recipient-without-identifier", WhoMustAct.SECRETARY),
        LocalRefusal("ins-not-qualified", WhoMustAct.SECRETARY),
        LocalRefusal("ins-incomplete", WhoMustAct.SECRETARY),
        LocalRefusal("ins-invalid", WhoMustAct.SECRETARY),
        LocalRefusal("hidden-from-professionals", WhoMustAct.NOBODY),
        LocalRefusal("hidden-from-patient", WhoMustAct.NOBODY),
        LocalRefusal("hidden-from-representatives", WhoMustAct.NOBODY),
        LocalRefusal("too-large", WhoMustAct.ADMINISTRATOR),
        LocalRefusal("document-not-found", WhoMustAct.OPERATOR),
        LocalRefusal("document-altered", WhoMustAct.OPERATOR),
        LocalRefusal("document-unreadable", WhoMustAct.OPERATOR),
        LocalRefusal("site-unknown", WhoMustAct.ADMINISTRATOR),
        LocalRefusal("directory-key-refused", WhoMustAct.ADMINISTRATOR),
        LocalRefusal("directory-answer-refused", WhoMustAct.OPERATOR),
    )
}
"""Reasons of our own, with who must act. A code that is not here does not exist."""
