"""Which of the documents a platform was sent takes the place of which, and what must therefore not leave any more.

A report may have two documents on one platform that do not replace each other: the one of before the identity was
qualified, for professionals, and the one of after, for the DMP and the patient: the DMP has nothing to replace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from navette_contracts.events import Audience

from navette_report.domain.pfi.letter import Action


class MessageState(StrEnum):
    """Where a message stands."""

    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    """Given up, and certainly not taken."""
    CANCELLED = "cancelled"
    DOUBTFUL = "doubtful"
    """Ended without being accepted, after a sending whose answer was lost, or spoken of since: it may be there."""
    TAKEN_OVER = "taken_over"
    """Not there, and never to be sent again: a later document serves those it was for."""


HELD = frozenset({MessageState.SCHEDULED, MessageState.ACCEPTED, MessageState.DOUBTFUL})
"""The platform has the document, or will have it before what is sent after it."""
THERE = frozenset({MessageState.ACCEPTED, MessageState.DOUBTFUL})
REPLAYABLE = frozenset({MessageState.REFUSED, MessageState.FAILED})
"""Not there, but an operator may let it go again."""


class Sent(Protocol):
    """What succession needs to know of a message."""

    @property
    def number(self) -> str: ...
    @property
    def unique_id(self) -> str: ...
    @property
    def replaces(self) -> str | None: ...
    @property
    def version(self) -> int: ...
    @property
    def action(self) -> Action: ...
    @property
    def state(self) -> MessageState: ...
    @property
    def platform(self) -> str: ...
    @property
    def parties(self) -> tuple[Audience, ...]: ...


S = TypeVar("S", bound=Sent)


def chain(message: Sent, sent: Collection[Sent]) -> frozenset[str]:
    """uniqueIds of a document and of all whose place it takes."""
    replaced = {one.unique_id: one.replaces for one in (*sent, message) if one.action is not Action.DELETE}
    found: set[str] = set()
    name: str | None = message.unique_id
    while name is not None and name not in found:
        found.add(name)
        name = replaced.get(name)
    return frozenset(found)


def ends(held: Sequence[S]) -> list[S]:
    """The documents that no other one replaces: a report has one per chain."""
    replaced = {one.replaces for one in held}
    return [one for one in held if one.unique_id not in replaced]


def held(sent: Collection[Sent]) -> frozenset[tuple[str, str]]:
    """(platform, uniqueId) of the documents that platforms have or are about to have."""
    return frozenset((one.platform, one.unique_id) for one in sent if one.state in HELD)


def left_out(sent: Collection[S], version: int, wanted: Collection[Audience], nowhere: Collection[str]) -> list[S]:
    """The messages of a version whose parties the next document of that version can serve instead.

    Only those that their platform certainly did not take, about a document that nobody has (`nowhere`: uniqueIds),
    and for parties that nothing else is on its way to.
    """
    of_version = [one for one in sent if one.version == version and one.action is not Action.DELETE]
    served = {(one.platform, party) for one in of_version if one.state in HELD for party in one.parties}
    return [
        one
        for one in of_version
        if one.state in REPLAYABLE
        and one.unique_id in nowhere
        and one.parties
        and all(party in wanted and (one.platform, party) not in served for party in one.parties)
    ]


def overtaken(message: Sent, sent: Sequence[Sent], *, in_force: int = 0) -> bool:
    """Whether sending a message now would bring back what was replaced, corrected or deleted since.

    `sent`: the messages about the report to that platform; `in_force`: number of the version in force. A document
    that a later one still has to replace is sent before that one.
    """
    if message.state is MessageState.TAKEN_OVER:
        return True
    successors = [one for one in sent if one.number != message.number and message.unique_id in chain(one, sent)]
    if any(one.state is MessageState.ACCEPTED or one.action is Action.DELETE for one in successors):
        return True
    corrected = max([in_force, *(one.version for one in sent)]) > message.version
    return corrected and not any(one.state is not MessageState.CANCELLED for one in successors)
