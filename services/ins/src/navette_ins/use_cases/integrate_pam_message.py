"""Apply one PAM message to the identities (spec/ins.md §7.4; RIS.INS.38, .39, .44, .45, .55 to .57)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from navette_chassis import UnitOfWork, uuid7
from navette_documents.hl7v2 import Hl7Error, Location, Message, MessageError

from navette_ins.adapters.identities import IdentityRepository
from navette_ins.adapters.local_ids import LocalIds
from navette_ins.adapters.pam_messages import MessageState, Verdict
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.facts import FormerIns
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.events import TREATMENTS, Treatment
from navette_ins.domain.pam.integration import Integrated, Told, created, updated
from navette_ins.domain.pam.reading import Reading, acceptable_ins, read, traits_of
from navette_ins.domain.pam.senders import Sender, Trust
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.follow_stay import begin_stay, end_stay
from navette_ins.use_cases.merge_patients import merge_patients
from navette_ins.use_cases.open_case import open_case
from navette_ins.use_cases.request_confirmation import request_confirmation
from navette_ins.use_cases.request_insi_search import request_insi_search

_ASKED_ALREADY = frozenset({"search_under_way", "not_found_today", "calls_exhausted"})
"""INSi has the question, or its answer: a further message of the same person asks nothing of anybody."""


@dataclass(frozen=True, slots=True, repr=False)
class Work:
    """What integrating one message works with."""

    uow: UnitOfWork
    desk: Desk
    sender: Sender
    reading: Reading
    reference: str
    production: bool
    identities: IdentityRepository
    local_ids: LocalIds


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """What a message left behind."""

    identity: Identity
    remarks: tuple[str, ...] = ()
    waits: bool = False
    """Nothing of its INS counts before INSi has verified it."""

    def with_remarks(self, *more: str) -> Written:
        """The same with more to look at."""
        return replace(self, remarks=(*self.remarks, *more))


async def integrate_pam_message(
    uow: UnitOfWork, desk: Desk, *, message: Message, sender: Sender, reference: str, production: bool
) -> Verdict:
    """Apply a message. Raises Hl7Error, before anything is written, for what the sender must correct."""
    treatment = TREATMENTS.get(message.event)
    if treatment is None:
        raise Hl7Error(MessageError.EVENT_CODE, "event", Location("MSH", 1, 9, 1, 2))
    if treatment is Treatment.EXCLUDED and not sender.takes_a08:
        raise Hl7Error(MessageError.EVENT_CODE, "event_excluded_in_france", Location("MSH", 1, 9, 1, 2))
    if treatment is Treatment.STAY:
        await end_stay(uow, message=message, sender=sender)
        return Verdict(MessageState.IGNORED, "AA")
    needs_mrg = treatment in (Treatment.MERGE, Treatment.NUMBERS)
    if needs_mrg:
        message.require("MRG")
    reading, identities = read(message, sender), desk.identities(uow)
    local_ids = LocalIds(uow, identities, desk.index)
    work = Work(uow, desk, sender, reading, reference, production, identities, local_ids)
    if treatment is Treatment.MERGE:
        if work.reading.former_local_id is None:
            raise Hl7Error(MessageError.REQUIRED_FIELD, "local_identifier", Location("MRG", 1, 1))
        written = await _merged(replace(work, reading=replace(work.reading, former_claim=None)))
    else:
        written = await _applied(work)
        stay = await begin_stay(uow, desk, message=message, sender=sender, identity=written.identity)
        written = written.with_remarks(*stay)
    identity, remarks = written.identity, written.remarks
    subject = work.local_ids.subject(sender, work.reading.local_id)
    await uow.record_access(sender.actor, "pam.receive", "patient", identity.patient_id, identity.site_id, "granted")
    state = MessageState.TO_REVIEW if remarks else MessageState.INTEGRATED
    state = MessageState.WAITING if written.waits else state
    return Verdict(state, "AA", remarks=remarks, patient_id=identity.patient_id, subject=subject)


async def _applied(work: Work) -> Written:
    """Create or update the record of PID-3; an A47 may say that the identifier itself is new."""
    known = await work.local_ids.resolve(work.sender, work.reading.local_id)
    former = work.reading.former_local_id
    if known is None and former is not None:
        known = await work.local_ids.resolve(work.sender, former)
    return await _written(work, known)


async def _merged(work: Work) -> Written:
    """The survivor of PID-3 takes the record of MRG-1 in; an unknown one leaves its identifier behind."""
    former = work.reading.former_local_id
    assert former is not None
    survivor = await work.local_ids.resolve(work.sender, work.reading.local_id)
    absorbed = await work.local_ids.resolve(work.sender, former)
    if survivor is None or absorbed is None or survivor.patient_id == absorbed.patient_id:
        written = await _written(work, survivor or absorbed)
        await work.local_ids.bind(work.sender, former, written.identity.patient_id)
        return written
    # What could refuse the message comes before what it changes.
    traits_of(work.reading, survivor.traits, work.sender, today=work.uow.now.date())
    refused = await _merge(work, survivor, absorbed)
    if refused is None:
        await work.local_ids.bind(work.sender, former, survivor.patient_id)
    written = await _written(work, await work.identities.get(survivor.patient_id))
    return written if refused is None else written.with_remarks(refused)


async def _merge(work: Work, survivor: Identity, absorbed: Identity) -> str | None:
    """Merge, or put before the cell what may not be merged on this sender's word; then the reason."""
    by = work.sender.actor
    reason = "told_by_third_party"
    if work.sender.trusted:
        try:
            await merge_patients(work.uow, work.desk, survivor=survivor, absorbed=absorbed, by=by)
        except Forbidden as refused:
            reason = refused.rule
        else:
            return None
    await open_case(work.uow, CaseKind.DUPLICATE, (survivor, absorbed), reason=reason, by=by)
    return "merge_to_decide"


async def _written(work: Work, known: Identity | None) -> Written:
    ins, refused = acceptable_ins(work.reading, production=work.production)
    remarks: tuple[str, ...] = () if refused is None or refused == "ins_not_validated" else (refused,)
    if ins is not None and known is None and work.sender.trusted:
        known = await _known_by_ins(work, ins.matricule, ins.oid)
    present = None if known is None else known.traits
    traits = traits_of(work.reading, present, work.sender, today=work.uow.now.date())
    holder = None
    if ins is not None and work.sender.trusted:
        own = "" if known is None else known.patient_id
        holder = await work.identities.other_with(ins.matricule, ins.oid, than=own)
        ins = None if holder is not None else ins
    told = Told(work.reading, traits, ins, work.sender, work.reference)
    to_verify = work.desk.rules.verifies_received and _third_party_ins(work, known, ins)
    if to_verify and known is not None:
        # An identity known here is not touched by what INSi may not confirm (RIS.INS.44).
        done = Integrated(known, Act.RECEIVED)
    elif known is None:
        done = created(told, uuid7(), at=work.uow.now)
        await work.identities.add(done.identity, by=work.sender.actor, act=done.act)
    else:
        done = updated(known, told, at=work.uow.now)
        if done.identity is not known:
            await work.identities.save(known, done.identity, act=done.act, by=work.sender.actor)
    await work.local_ids.bind(work.sender, work.reading.local_id, done.identity.patient_id)
    written = Written(done.identity, remarks + done.remarks)
    if holder is not None:
        written = written.with_remarks(*await _collision(work, done.identity, holder))
    if to_verify and ins is not None:
        return await _to_verify(work, written, ins, traits)
    return written if work.desk.rules.verifies_received else await _to_search(work, written)


def _third_party_ins(work: Work, known: Identity | None, ins: FormerIns | None) -> bool:
    """Whether the message has an INS to verify: a third party's, on a record that has none (RIS.INS.46)."""
    if ins is None or work.sender.trusted:
        return False
    return known is None or (known.recovery is None and not known.untrusted)


async def _known_by_ins(work: Work, matricule: str, oid: str) -> Identity | None:
    """The record of this INS, unless the site knows it under another identifier: then a person decides."""
    holder = await work.identities.other_with(matricule, oid, than="")
    found = None if holder is None else await work.identities.get(holder)
    if found is None or found.site_id != work.sender.site_id:
        return None
    other = work.sender.trust is Trust.OWN_DOMAIN and found.traits.local_id not in (None, work.reading.local_id)
    return None if other else found


async def _collision(work: Work, identity: Identity, holder_id: str) -> tuple[str, ...]:
    """Two records, one INS: it is not stored twice, and the cell is asked."""
    holder = await work.identities.get(holder_id)
    if holder is not None:
        pair = (holder, identity)
        await open_case(work.uow, CaseKind.DUPLICATE, pair, reason="same_ins_received", by=work.sender.actor)
    return ("ins_held_by_another",)


async def _to_verify(work: Work, written: Written, ins: FormerIns, traits: Traits) -> Written:
    """INSi is asked about the INS of a third party; the message waits for its word (RIS.INS.44 to .46)."""
    try:
        await request_confirmation(
            work.uow,
            work.desk,
            message_id=work.reference,
            identity=written.identity,
            ins=ins,
            traits=traits,
            sender=work.sender,
        )
    except RuleBroken as refused:
        return written.with_remarks(f"insi_{refused.rule}")
    return replace(written, waits=True)


async def _to_search(work: Work, written: Written) -> Written:
    """Without verification, INSi is asked for the person of a third party's qualified identity (RIS.INS.38)."""
    if work.sender.trusted or work.reading.claim is None or not work.reading.validated:
        return written
    if written.identity.recovery is not None:
        return written
    try:
        await request_insi_search(work.uow, work.desk, identity=written.identity, by=work.sender.actor)
    except (Forbidden, RuleBroken) as refused:
        return written if refused.rule in _ASKED_ALREADY else written.with_remarks(f"insi_{refused.rule}")
    return written
