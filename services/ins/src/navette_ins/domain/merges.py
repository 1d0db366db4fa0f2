"""Two records of one person become one, and two again if it was an error (spec/ins.md §6). Nothing is lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from navette_contracts.events import IdentityAttribute

from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity


def merge(survivor: Identity, absorbed: Identity, *, at: datetime) -> tuple[Identity, Identity]:
    """The survivor and the closed record. Raises Forbidden when the two may not be one person.

    The survivor keeps its traits and its facts. It gains a fact it lacks only when its strict traits are those of the
    record that holds it: a matricule belongs to the traits INSi gave with it.
    """
    survivor.active()
    absorbed.active()
    if survivor.patient_id == absorbed.patient_id:
        raise Forbidden("same_record")
    if IdentityAttribute.FICTIVE in survivor.attributes | absorbed.attributes:
        raise Forbidden("fictive_not_merged")
    if _two_people(survivor, absorbed):
        raise Forbidden("two_different_ins")
    changes: dict[str, Any] = {}
    if not survivor.untrusted and not survivor.changes_strict(absorbed.traits):
        if survivor.recovery is None and absorbed.recovery is not None:
            changes |= {"recovery": absorbed.recovery, "former_ins": absorbed.former_ins}
        if survivor.check is None and absorbed.check is not None:
            changes |= {"check": absorbed.check, "proof": absorbed.proof}
    if survivor.recovery is not None and absorbed.recovery is not None:
        past = (*survivor.former_ins, absorbed.recovery.ins, *absorbed.former_ins)
        changes["former_ins"] = tuple(dict.fromkeys(one for one in past if one != survivor.recovery.ins))
    closed = absorbed.next(at, merged_into=survivor.patient_id, recovery=None, former_ins=(), check=None)
    return survivor.next(at, **changes), closed


def unmerge(
    survivor: Identity,
    closed: Identity,
    *,
    survivor_before: Identity,
    absorbed_before: Identity,
    merged_revision: int,
    at: datetime,
) -> tuple[Identity, Identity]:
    """Both records as before the merge. Raises Forbidden when they are not the two of that merge any more.

    What was done to the survivor since stays; what the merge gave it goes back with the other record.
    """
    survivor.active()
    if closed.merged_into != survivor.patient_id:
        raise Forbidden("not_merged")
    restored = _content_of(absorbed_before, closed, at)
    if survivor.revision == merged_revision:
        return _content_of(survivor_before, survivor, at), restored
    changes: dict[str, Any] = {}
    given = survivor_before.recovery is None and absorbed_before.recovery is not None
    if given and survivor.recovery == absorbed_before.recovery:
        changes |= {"recovery": None, "former_ins": ()}
    elif survivor.recovery is not None and absorbed_before.recovery is not None:
        theirs = {absorbed_before.recovery.ins, *absorbed_before.former_ins} - {*survivor_before.former_ins}
        changes["former_ins"] = tuple(one for one in survivor.former_ins if one not in theirs)
    if survivor_before.check is None and survivor.check is not None and survivor.check == absorbed_before.check:
        changes |= {"check": None, "proof": survivor_before.proof}
    return survivor.next(at, **changes), restored


def _two_people(one: Identity, other: Identity) -> bool:
    """Whether INSi knows them as two: two numbers, neither of which is a former one of the other."""
    if one.recovery is None or other.recovery is None or one.recovery.ins == other.recovery.ins:
        return False
    return other.recovery.ins not in one.former_ins and one.recovery.ins not in other.former_ins


def _content_of(before: Identity, now: Identity, at: datetime) -> Identity:
    content = {
        name: getattr(before, name)
        for name in Identity.model_fields
        if name not in ("patient_id", "revision", "created_at", "updated_at")
    }
    return now.next(at, **content)
