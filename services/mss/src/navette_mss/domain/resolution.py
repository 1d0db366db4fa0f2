"""From a recipient to a mailbox: candidates, scores, and a decision that never guesses (spec/annuaire.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from navette_mss.domain.directory import Directory, Mailbox, MailboxType

AUTO_SCORE = 80
RIVAL_SCORE = 60


class Decision(StrEnum):
    """What may happen without a human."""

    AUTO = "auto"
    ASK = "ask"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mailbox, how well it fits, and why. `rank` orders equals: the owner's first choice first."""

    address: str
    score: int
    reason: str
    rank: int = 1


@dataclass(frozen=True, slots=True)
class Resolution:
    """The decision; the chosen candidate comes first."""

    decision: Decision
    candidates: tuple[Candidate, ...]

    @property
    def address(self) -> str | None:
        """The address to use, if that needs nobody."""
        return self.candidates[0].address if self.decision is Decision.AUTO else None


def resolve_professional(directory: Directory, rpps: str, finess: str | None) -> Resolution:
    """Mailbox of a person, at a structure when the order names one.

    A candidate of 80 or more wins when no other address reaches 60: two such addresses ask a human.
    """
    people = {one.id for one in directory.practitioners if one.active and one.rpps == rpps}
    found = _best_per_address(_candidates(directory, people, finess))
    if not found:
        return Resolution(Decision.NONE, ())
    alone = found[0].score >= AUTO_SCORE and all(one.score < RIVAL_SCORE for one in found[1:])
    return Resolution(Decision.AUTO if alone else Decision.ASK, found)


def resolve_structure(directory: Directory, finess: str) -> Resolution:
    """Mailbox of a structure that is itself the recipient: its one organisational mailbox."""
    boxes = [
        box
        for organization in directory.organizations
        if organization.active and finess in organization.finess
        for box in organization.mailboxes
        if box.type is MailboxType.ORG
    ]
    found = _best_per_address(Candidate(box.address, AUTO_SCORE, "org") for box in boxes)
    if not found:
        return Resolution(Decision.NONE, ())
    return Resolution(Decision.AUTO if len(found) == 1 else Decision.ASK, found)


def _candidates(directory: Directory, people: set[str], finess: str | None) -> Iterator[Candidate]:
    for person in directory.practitioners:
        if person.id in people:
            yield from (_of_person(box) for box in person.mailboxes)
    structures = {one.id: one for one in directory.organizations if one.active}
    for role in directory.roles:
        if not role.active or role.practitioner not in people:
            continue
        structure = structures.get(role.organization)
        here = structure is not None and finess is not None and finess in structure.finess
        yield from (_of_role(box, here=here) for box in role.mailboxes)
        if here and structure is not None:
            yield from (_of_structure(box) for box in structure.mailboxes)


def _of_person(box: Mailbox) -> Candidate:
    """Bound to the RPPS alone."""
    if box.type is MailboxType.CAB:
        return Candidate(box.address, 50, "cab-of-person", box.rank or 1)
    return Candidate(box.address, 80, "per-of-person", box.rank or 1)


def _of_role(box: Mailbox, *, here: bool) -> Candidate:
    if box.type is MailboxType.CAB:
        return Candidate(box.address, 70 if here else 35, "cab-at-structure" if here else "cab-elsewhere")
    return Candidate(box.address, 100 if here else 40, "per-at-structure" if here else "per-elsewhere")


def _of_structure(box: Mailbox) -> Candidate:
    if box.type is MailboxType.APP:
        return Candidate(box.address, 20, "app-of-structure")
    return Candidate(box.address, 30, "org-of-structure")


def _best_per_address(candidates: Iterator[Candidate]) -> tuple[Candidate, ...]:
    best: dict[str, Candidate] = {}
    for one in candidates:
        known = best.get(one.address.lower())
        if known is None or one.score > known.score:
            best[one.address.lower()] = one
    return tuple(sorted(best.values(), key=lambda one: (-one.score, one.rank, one.address)))
