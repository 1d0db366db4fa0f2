"""What a message makes of an identity: facts follow their provenance (RIS.INS.38, .39, .44, .55; spec/ins.md §7.4).

What a sender gave, the sender may take back. What INSi or a person gave here stays until a strict trait changes. A
third party changes nothing that was established here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from navette_contracts.events import IdentityAttribute
from navette_documents.identifiers.nir import INS_NIA

from navette_ins.domain.facts import Channel, FormerIns, Recovery, TrustCheck
from navette_ins.domain.identity import UNTRUSTED, Identity
from navette_ins.domain.pam.reading import Reading
from navette_ins.domain.pam.senders import ACTOR, Sender
from navette_ins.domain.proofs import PROOFS
from navette_ins.domain.traits import STRICT_TRAITS, Traits
from navette_ins.domain.transitions import Act

_CHANNELS: frozenset[str] = frozenset(get_args(Channel))


@dataclass(frozen=True, slots=True, repr=False)
class Told:
    """One message as it may be applied: read, its traits computed, its INS accepted or not."""

    reading: Reading
    traits: Traits
    ins: FormerIns | None
    sender: Sender
    reference: str
    """Id of the stored message."""


@dataclass(frozen=True, slots=True, repr=False)
class Integrated:
    """What a message leads to. `identity` is the record itself when nothing changes."""

    identity: Identity
    act: Act
    remarks: tuple[str, ...] = ()


def created(told: Told, patient_id: str, *, at: datetime) -> Integrated:
    """A person nobody knew here."""
    blank = Identity(
        patient_id=patient_id,
        site_id=told.sender.site_id,
        revision=1,
        traits=told.traits,
        attributes=_joined(frozenset(), told.reading.marks),
        created_at=at,
        updated_at=at,
    )
    values = {name: getattr(blank, name) for name in Identity.model_fields}
    facts = _facts(blank, told, at)
    return Integrated(Identity(**(values | facts)), Act.RECEIVED)


def updated(known: Identity, told: Told, *, at: datetime) -> Integrated:
    """The record after the message."""
    if not told.sender.trusted:
        return _by_third_party(known, told, at)
    attributes = _joined(known.attributes, told.reading.marks)
    doubted = known.untrusted and bool(told.ins or told.reading.validated)
    base = known.model_copy(update={"attributes": attributes})
    facts = _facts(base, told, at)
    changes = {"traits": told.traits, "attributes": attributes, **facts}
    return _outcome(known, changes, at, ("doubtful_here",) if doubted else ())


def verified(known: Identity, told: Told, *, at: datetime) -> Integrated:
    """INSi confirmed the INS and the traits of a third party; the check of a document stays to be made here.

    What was established here is not changed by it (RIS.INS.38, .44).
    """
    strict = known.changes_strict(told.traits)
    if known.untrusted:
        return Integrated(known, Act.RECEIVED, ("doubtful_here",))
    if known.recovery is not None:
        same = known.recovery.ins == told.ins and not strict
        return Integrated(known, Act.RECEIVED, () if same else ("ins_differs_here",))
    if known.check is not None and strict:
        return Integrated(known, Act.RECEIVED, ("strict_traits_differ",))
    return _outcome(known, {"traits": told.traits, "recovery": _recovery(known, told, at, strict=strict)}, at)


def _by_third_party(known: Identity, told: Told, at: datetime) -> Integrated:
    established = known.recovery is not None or known.check is not None
    if established and told.reading.removes_ins:
        return Integrated(known, Act.RECEIVED, ("ins_withdrawn_by_third_party",))
    if established and known.changes_strict(told.traits):
        return Integrated(known, Act.RECEIVED, ("strict_traits_differ",))
    kept = {name: getattr(known.traits, name) for name in STRICT_TRAITS} if established else {}
    return _outcome(known, {"traits": told.traits.model_copy(update=kept)}, at)


def _outcome(known: Identity, changes: dict[str, object], at: datetime, remarks: tuple[str, ...] = ()) -> Integrated:
    if all(getattr(known, name) == value for name, value in changes.items()):
        return Integrated(known, Act.RECEIVED, remarks)
    after = known.next(at, **changes)
    return Integrated(after, _act(known, after), remarks)


def _act(before: Identity, after: Identity) -> Act:
    had, has = before.recovery, after.recovery
    if had is None or has is None or had.ins == has.ins or before.status is not after.status:
        return Act.RECEIVED
    return Act.NIA_REPLACED if had.oid == INS_NIA != has.oid else Act.RENUMBERED


def _facts(known: Identity, told: Told, at: datetime) -> dict[str, object]:
    """The two facts after the message, and the history of numbers."""
    none: dict[str, object] = {"recovery": None, "check": None, "former_ins": ()}
    if known.attributes & UNTRUSTED or not told.sender.trusted:
        return none
    strict = known.changes_strict(told.traits)
    check = _check(known, told, at, strict=strict)
    recovery = _recovery(known, told, at, strict=strict)
    if recovery is None or told.traits.birth_date_completed:
        return none | {"check": check}
    former = known.former_ins
    if known.recovery is not None and known.recovery.ins != recovery.ins:
        former = (known.recovery.ins, *(one for one in former if one != recovery.ins))
    return {"recovery": recovery, "check": check, "former_ins": former}


def _recovery(known: Identity, told: Told, at: datetime, *, strict: bool) -> Recovery | None:
    held, ins = known.recovery, told.ins
    if ins is None:
        if held is None or strict or told.reading.removes_ins:
            return None
        return held if told.reading.validated is None or not _theirs(held.accepted_by) else None
    if held is not None and held.ins == ins and not strict:
        return held
    mode = told.reading.proofs.mode
    return Recovery.model_validate(
        {
            "matricule": ins.matricule,
            "oid": ins.oid,
            "search_id": told.reference,
            "at": at,
            "accepted_by": told.sender.actor,
            "channel": mode if mode in _CHANNELS else "INSI",
        }
    )


def _check(known: Identity, told: Told, at: datetime, *, strict: bool) -> TrustCheck | None:
    held = None if strict else known.check
    if told.reading.validated is None:
        return held
    if not told.reading.validated:
        return held if held is not None and not _theirs(held.by) else None
    if held is not None:
        return held
    document = told.reading.proofs.document
    proof = PROOFS.get(document)
    # The sender's word itself is the proof when it names none, or one that proves nothing alone.
    kind = document if proof is not None and proof.high_trust else "TC"
    return TrustCheck(document_kind=kind, at=at, by=told.sender.actor)


def _theirs(actor: str) -> bool:
    return actor.startswith(ACTOR)


def _joined(present: frozenset[IdentityAttribute], told: frozenset[IdentityAttribute]) -> frozenset[IdentityAttribute]:
    """Attributes are added; only a person lifts one. A fictive identity carries no other."""
    joined = present | told
    return frozenset({IdentityAttribute.FICTIVE}) if IdentityAttribute.FICTIVE in joined else joined
