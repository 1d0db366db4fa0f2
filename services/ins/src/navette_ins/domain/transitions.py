"""What may become of a status, as data (spec/ins.md §5.5). Every stored change is held against this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from navette_contracts.events import IdentityStatus

if TYPE_CHECKING:
    from navette_ins.domain.identity import Identity

PROV, RECUP = IdentityStatus.PROVISOIRE, IdentityStatus.RECUPEREE
VALI, QUAL = IdentityStatus.VALIDEE, IdentityStatus.QUALIFIEE


class Act(StrEnum):
    """What was done to an identity; the word of its history."""

    CREATED = "created"
    INS_ACCEPTED = "recovered"
    PROOF_SEEN = "proof_seen"
    CHECKED = "checked"
    APP_VITALE = "app_vitale"
    CHECK_WITHDRAWN = "check_withdrawn"
    INS_OF_ANOTHER_PERSON = "ins_of_another_person"
    STRICT_TRAITS_EDITED = "strict_traits_edited"
    COMPLEMENTARY_EDITED = "complementary_edited"
    BIRTH_DATE_COMPLETED = "birth_date_completed"
    MARKED_UNTRUSTED = "marked_untrusted"
    MARKED_HOMONYM = "marked_homonym"
    UNMARKED = "unmarked"
    VERIFIED = "verified"
    VERIFICATION_KO = "verification_ko"
    TRAITS_RENEWED = "traits_renewed"
    RENUMBERED = "renumbered"
    NIA_REPLACED = "nia_replaced"
    MERGED = "merged"
    ABSORBED = "absorbed"
    UNMERGED = "unmerged"
    RESTORED = "restored"
    RECEIVED = "received"
    """A message of a connected system said so (spec/ins.md §7.4)."""


class Told(StrEnum):
    """The message that tells connected systems (spec/ins.md §7.3)."""

    NOBODY = "nobody"
    A28 = "A28"
    A31 = "A31"
    A47 = "A47"
    """They hold an INS that is no longer this person's."""
    A40 = "A40"


class Effect(StrEnum):
    """What an act does beside the status."""

    TRAITS_REPLACED = "traits_replaced"
    INS_REMOVED = "ins_removed"
    INS_HISTORY_REMOVED = "ins_history_removed"
    OLD_INS_KEPT = "old_ins_kept"


@dataclass(frozen=True, slots=True)
class Transition:
    """One line: this act leads from this status to that one."""

    act: Act
    before: IdentityStatus | None
    after: IdentityStatus
    told: Told = Told.A31
    effects: frozenset[Effect] = frozenset()


class ImpossibleTransition(Exception):  # noqa: N818 - the transition is impossible
    """An act led where the table does not: an error of the program, never of a user."""

    def __init__(self, act: Act, before: IdentityStatus | None, after: IdentityStatus) -> None:
        super().__init__(f"{act}: {before} to {after}")


def _lines() -> tuple[Transition, ...]:
    replaced = frozenset({Effect.TRAITS_REPLACED})
    # The history of numbers came with the INS: it goes with it. Both stay readable in the history of the record.
    removed = frozenset({Effect.INS_REMOVED, Effect.INS_HISTORY_REMOVED})
    renumbered = frozenset({Effect.TRAITS_REPLACED, Effect.OLD_INS_KEPT})
    lines = [
        Transition(Act.CREATED, None, PROV, Told.A28),
        Transition(Act.INS_ACCEPTED, PROV, RECUP, effects=replaced),
        Transition(Act.INS_ACCEPTED, VALI, QUAL, effects=replaced),
        Transition(Act.CHECKED, PROV, VALI),
        Transition(Act.CHECKED, RECUP, QUAL),
        Transition(Act.CHECKED, VALI, VALI),
        Transition(Act.CHECKED, QUAL, QUAL),
        Transition(Act.CHECK_WITHDRAWN, QUAL, RECUP, Told.A47),
        Transition(Act.CHECK_WITHDRAWN, VALI, PROV),
        Transition(Act.INS_OF_ANOTHER_PERSON, QUAL, VALI, Told.A47, removed),
        # A matricule that never left is not told in an A47, which would carry it.
        Transition(Act.INS_OF_ANOTHER_PERSON, RECUP, PROV, effects=removed),
        Transition(Act.VERIFICATION_KO, QUAL, VALI, Told.A47, removed),
        Transition(Act.VERIFICATION_KO, RECUP, PROV, effects=removed),
        Transition(Act.VERIFIED, RECUP, RECUP, Told.NOBODY),
        Transition(Act.VERIFIED, QUAL, QUAL, Told.NOBODY),
        Transition(Act.TRAITS_RENEWED, QUAL, QUAL, effects=replaced),
        Transition(Act.TRAITS_RENEWED, QUAL, RECUP, Told.A47, replaced),
        Transition(Act.TRAITS_RENEWED, RECUP, RECUP, effects=replaced),
        Transition(Act.RENUMBERED, QUAL, QUAL, Told.A47, renumbered),
        Transition(Act.RENUMBERED, RECUP, RECUP, effects=renumbered),
        Transition(Act.NIA_REPLACED, QUAL, QUAL, effects=renumbered),
        Transition(Act.NIA_REPLACED, RECUP, RECUP, effects=renumbered),
    ]
    lines += [Transition(Act.APP_VITALE, one, QUAL, effects=replaced) for one in (PROV, RECUP, VALI, QUAL)]
    for act in (Act.STRICT_TRAITS_EDITED, Act.BIRTH_DATE_COMPLETED):
        lines += [
            Transition(act, QUAL, VALI, Told.A47, removed),
            Transition(act, QUAL, PROV, Told.A47, removed),
            Transition(act, RECUP, PROV, effects=removed),
            Transition(act, VALI, VALI),
            Transition(act, VALI, PROV),
            Transition(act, PROV, PROV),
        ]
    for act in (Act.MARKED_UNTRUSTED, Act.ABSORBED):
        lines += [
            Transition(act, QUAL, PROV, Told.A47, removed),
            Transition(act, RECUP, PROV, effects=removed),
            Transition(act, VALI, PROV),
            Transition(act, PROV, PROV),
        ]
    for act in (Act.PROOF_SEEN, Act.COMPLEMENTARY_EDITED, Act.MARKED_HOMONYM, Act.UNMARKED):
        lines += [Transition(act, one, one) for one in (PROV, RECUP, VALI, QUAL)]
    return (*lines, *_merged(), *_received(removed))


def _merged() -> Iterator[Transition]:
    """The survivor of a merge may gain the facts of the other record, never lose its own; undoing gives them back."""
    gains = {PROV: (PROV, RECUP, VALI, QUAL), RECUP: (RECUP, QUAL), VALI: (VALI, QUAL), QUAL: (QUAL,)}
    for before, afters in gains.items():
        for after in afters:
            yield Transition(Act.MERGED, before, after, Told.A40)
            lost = after is QUAL is not before
            yield Transition(Act.UNMERGED, after, before, Told.A47 if lost else Told.A31)
        yield Transition(Act.RESTORED, PROV, before)


def _received(removed: frozenset[Effect]) -> Iterator[Transition]:
    """A system under contract may give an identity any status, and take the INS away that it or INSi gave."""
    statuses = (PROV, RECUP, VALI, QUAL)
    for after in statuses:
        yield Transition(Act.RECEIVED, None, after, Told.A28)
    for before in statuses:
        for after in statuses:
            loses = before in (RECUP, QUAL) and after in (PROV, VALI)
            told = Told.A47 if before is QUAL and after is not QUAL else Told.A31
            yield Transition(Act.RECEIVED, before, after, told, removed if loses else frozenset())


TRANSITIONS: Final = _lines()

_TABLE: Final[Mapping[tuple[Act, IdentityStatus | None, IdentityStatus], Transition]] = MappingProxyType(
    {(one.act, one.before, one.after): one for one in TRANSITIONS}
)


def transition_of(act: Act, before: Identity | None, after: Identity) -> Transition:
    """The line a change follows. Raises ImpossibleTransition when there is none, or when the INS goes unsaid."""
    was = None if before is None else before.status
    line = _TABLE.get((act, was, after.status))
    if line is None:
        raise ImpossibleTransition(act, was, after.status)
    lost = before is not None and before.recovery is not None and after.recovery is None
    if lost and Effect.INS_REMOVED not in line.effects and act is not Act.UNMERGED:
        raise ImpossibleTransition(act, was, after.status)
    if Effect.INS_REMOVED in line.effects and (after.recovery is not None or after.former_ins):
        raise ImpossibleTransition(act, was, after.status)
    return line
