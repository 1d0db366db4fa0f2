"""Which messages tell a system of a change, and their bytes (spec/ins.md §7.1 to §7.3, §7.5).

Qualified: VALI and the INS. Validated: VALI without it. Everything else: PROV without it (RIS.INS.37).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from navette_contracts.events import IdentityAttribute, IdentityStatus
from navette_documents.hl7dates import PARIS
from navette_documents.hl7v2 import DELETE, cx, identity_fields, ins_cx, repeat, sub, write_message
from navette_documents.identifiers.nir import INS_NIA

from navette_ins.domain.facts import FormerIns
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.destinations import ConnectedSystem
from navette_ins.domain.transitions import Act, Told

Fields = dict[int, str]

_STRUCTURES = {"A28": "ADT_A05", "A31": "ADT_A05", "A40": "ADT_A39", "A47": "ADT_A30"}
_VERSION = "2.5^FRA^2.11"
_PROFILE = "2.11^IHE_FRANCE-2.11-PAM"
_CODES = {
    IdentityAttribute.HOMONYME: "HOMA",
    IdentityAttribute.DOUTEUSE: "DOUT",
    IdentityAttribute.FICTIVE: "FICT",
}


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """What became of an identity."""

    act: Act
    told: Told
    before: Identity | None
    after: Identity
    other: Identity | None
    """The record a merge took in."""


@dataclass(frozen=True, slots=True, repr=False)
class Notice:
    """One message to write: event, the identity it shows, and what MRG says."""

    event: str
    identity: Identity
    ins: FormerIns | None = None
    """The INS it carries."""
    withdrawn: FormerIns | None = None
    """The INS it takes back or replaces."""
    absorbed: Identity | None = None
    used_name_removed: bool = False


def ins_of(identity: Identity) -> FormerIns | None:
    """The INS that may leave: that of a qualified identity."""
    if identity.status is not IdentityStatus.QUALIFIEE or identity.recovery is None:
        return None
    return identity.recovery.ins


def notices(change: Change, held: FormerIns | None) -> list[Notice]:
    """What to tell a system that holds this INS (None: it was never sent one), in order."""
    before, after = change.before, change.after
    ins = ins_of(after)
    if change.act in (Act.ABSORBED, Act.RESTORED):
        # The A40 of the survivor says the first, without a matricule of the closed record. For the second PAM France
        # has no event, and an A31 would reach the survivor, whose record the identifier still leads to over there.
        return []
    if before is None or change.told is Told.A28:
        return [Notice("A28", after, ins)]
    removed = _uses_name(before) and not _uses_name(after)
    if change.told is Told.A40:
        return [Notice("A40", after, ins, absorbed=change.other, used_name_removed=removed)]
    update = Notice("A31", after, ins, used_name_removed=removed)
    differs = before.status is not after.status or _shown(before, removed=False) != _shown(after, removed=removed)
    if held is not None and held != ins and not (ins is not None and held.oid == INS_NIA != ins.oid):
        told = [Notice("A47", after, ins, withdrawn=held, used_name_removed=removed)]
        return [*told, update] if _traits_shown(before) != _traits_shown(after) else told
    return [update] if differs or held != ins else []


def written(
    notice: Notice,
    system: ConnectedSystem,
    *,
    number: str,
    at: datetime,
    production: bool,
    authority: Callable[[str], str],
) -> tuple[bytes, str]:
    """The bytes of a message and the charset they are in; `authority` gives the encoded CX-4 of a site's IPP."""
    moment = at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
    segments: list[tuple[str, Fields]] = [("EVN", {2: moment}), ("PID", _pid(notice, authority))]
    if notice.withdrawn is not None:
        segments.append(("MRG", {1: ins_cx(notice.withdrawn.matricule, notice.withdrawn.oid)}))
    elif notice.absorbed is not None:
        segments.append(("MRG", {1: repeat(*_local_ids(notice.absorbed, authority))}))
    else:
        segments += [("PV1", {1: "1", 2: "N"}), ("ZFD", _zfd(notice.identity))]
    for charset in (system.charset, "UNICODE UTF-8"):
        header = {
            3: sub(system.sending_application),
            4: sub(system.sending_facility),
            5: sub(system.application),
            6: sub(system.facility),
            7: moment,
            9: f"ADT^{notice.event}^{_STRUCTURES[notice.event]}",
            10: number,
            11: "P" if production else "T",
            12: _VERSION,
            17: "FRA",
            18: charset,
            19: "FR",
            21: _PROFILE,
        }
        try:
            return write_message([("MSH", header), *segments], charset=charset), charset
        except UnicodeEncodeError:
            continue  # a name is never changed to fit a charset: UTF-8 has every letter
    raise AssertionError("UTF-8 has every letter")


def _pid(notice: Notice, authority: Callable[[str], str]) -> Fields:
    identity = notice.identity
    ids = _local_ids(identity, authority)
    if notice.ins is not None:
        ids.append(ins_cx(notice.ins.matricule, notice.ins.oid))
    elif notice.withdrawn is not None:
        ids.append(ins_cx(DELETE, notice.withdrawn.oid))
    return {1: "1", 3: repeat(*ids), **_shown(identity, removed=notice.used_name_removed)}


def _shown(identity: Identity, *, removed: bool) -> Fields:
    """What a system sees of an identity beside its numbers."""
    checked = identity.status in (IdentityStatus.VALIDEE, IdentityStatus.QUALIFIEE)
    codes = [_CODES[one] for one in sorted(identity.attributes) if one in _CODES]
    return identity_fields(identity.traits, checked=checked, codes=codes, name_removed=removed)


def _traits_shown(identity: Identity) -> Fields:
    return {number: text for number, text in _shown(identity, removed=False).items() if number != 32}


def _uses_name(identity: Identity) -> bool:
    return identity.traits.used_name is not None or identity.traits.used_given_name is not None


def _local_ids(identity: Identity, authority: Callable[[str], str]) -> list[str]:
    """The IPP of the site first, then the identifier Navette never changes."""
    own = cx(identity.patient_id, sub("NAVETTE", "NAVETTE", "L"), "PI")
    local_id = identity.traits.local_id
    return [own] if local_id is None else [cx(local_id, authority(identity.site_id), "PI"), own]


def _zfd(identity: Identity) -> Fields:
    recovery, check = identity.recovery, identity.check
    fields = {4: "Y" if identity.traits.birth_date_completed else "N", 5: "SM"}
    if recovery is not None:
        fields |= {5: recovery.channel, 6: recovery.at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")}
    if check is not None:
        fields[7] = check.document_kind
        if check.document_expires_on is not None:
            fields[8] = check.document_expires_on.strftime("%Y%m%d")
    return fields
