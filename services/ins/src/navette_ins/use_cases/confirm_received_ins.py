"""An INS that a third party sent is verified before anything of it counts (RIS.INS.44 to .46; spec/ins.md §2.8).

The message is answered at once and kept; a delivery asks INSi, and what it says is applied to the identity then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from navette_chassis import Service, UnitOfWork
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct
from navette_contracts.sealed import Sealed, SealError
from navette_documents.hl7v2 import Hl7Error, parse

from navette_ins.adapters.local_ids import LocalIds
from navette_ins.adapters.pam_messages import MessageState, MessageStore
from navette_ins.adapters.verifier import VerificationNotConfigured, VerificationTrouble
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.integration import Told, verified
from navette_ins.domain.pam.reading import acceptable_ins, read, traits_of
from navette_ins.domain.verification import Subject, Verdict
from navette_ins.use_cases.open_case import open_case
from navette_ins.use_cases.receive_pam_message import KEPT, Intake
from navette_ins.use_cases.run_verification import outcome_of_trouble
from navette_ins.use_cases.verification_desk import VerificationDesk
from navette_ins.use_cases.verify_received import trace_received


def run_confirmation(service: Service, vdesk: VerificationDesk) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of the channel. A verification changes nothing at INSi: asking again is always safe."""

    async def attempt(delivery: Delivery) -> Outcome:
        sealed: Sealed[dict[str, Any]] = Sealed(delivery.payload["sealed"])
        try:
            subject = Subject(**sealed.open(service.keyring, dict))
            said = await vdesk.verifier().verify(subject)
        except SealError:
            return Outcome.permanent("key_unknown", WhoMustAct.OPERATOR)
        except (VerificationTrouble, VerificationNotConfigured) as error:
            return outcome_of_trouble(error)
        site_id, by = delivery.payload["site_id"], delivery.payload["by"]
        await service.transact(trace_received, vdesk, subject, said, site_id, by)
        return Outcome.transient("technical") if said.verdict is Verdict.TECHNICAL else Outcome.delivered(said.verdict)

    return attempt


def settle_confirmation(
    vdesk: VerificationDesk, intake: Intake
) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of the channel: OK is taken over, KO is put before the cell, silence before the operator."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        message_id = delivery.payload["message_id"]
        store = MessageStore(uow, vdesk.desk.keyring, vdesk.desk.index)
        found = await store.find(message_id)
        if found is None or found[0]["state"] != MessageState.WAITING:
            return
        remarks = await _remarks(_Settling(uow, vdesk, intake, store), found[0], found[1], outcome)
        state = MessageState.TO_REVIEW if remarks else MessageState.INTEGRATED
        expires_at = None if state in KEPT else uow.now + intake.keep
        await store.settled(message_id, state, remarks, expires_at)

    return settle


@dataclass(frozen=True, slots=True)
class _Settling:
    uow: UnitOfWork
    vdesk: VerificationDesk
    intake: Intake
    store: MessageStore


async def _remarks(work: _Settling, row: Any, raw: bytes, outcome: Outcome) -> tuple[str, ...]:
    """Apply the word of INSi; what a person has to look at."""
    if outcome.kind is not OutcomeKind.DELIVERED:
        return ("ins_not_verified",)
    try:
        message = parse(raw, work.intake.limits)
        sender = work.intake.senders().get((message.msh.value(3), message.msh.value(4)))
        if sender is None:
            return ("unknown_sender",)
        reading = read(message, sender)
        identities = work.vdesk.desk.identities(work.uow)
        local_ids = LocalIds(work.uow, identities, work.vdesk.desk.index)
        identity = await local_ids.resolve(sender, reading.local_id)
        if identity is None or await work.store.newer(local_ids.subject(sender, reading.local_id), row["received_at"]):
            return ()  # What came since has asked for itself.
        if outcome.code == Verdict.KO:
            await open_case(work.uow, CaseKind.RECEIVED_INS_KO, [identity], reason="received_ins", by=sender.actor)
            return ("ins_not_confirmed",)
        traits = traits_of(reading, identity.traits, sender, today=work.uow.now.date())
        ins, _ = acceptable_ins(reading, production=work.intake.production)
        return await _taken_over(work, identity, Told(reading, traits, ins, sender, row["_id"]))
    except Hl7Error as error:
        return (error.rule,)


async def _taken_over(work: _Settling, identity: Identity, told: Told) -> tuple[str, ...]:
    identities, ins = work.vdesk.desk.identities(work.uow), told.ins
    holder_id = None if ins is None else await identities.other_with(ins.matricule, ins.oid, than=identity.patient_id)
    holder = None if holder_id is None else await identities.get(holder_id)
    if holder is not None:
        by = told.sender.actor
        await open_case(work.uow, CaseKind.DUPLICATE, (holder, identity), reason="same_ins_received", by=by)
        return ("ins_held_by_another",)
    done = verified(identity, told, at=work.uow.now)
    if done.identity is not identity:
        await identities.save(identity, done.identity, act=done.act, by=told.sender.actor)
    return done.remarks
