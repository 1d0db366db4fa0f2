"""Have the INS of a third party verified before anything of it counts (RIS.INS.46; spec/ins.md §2.8)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from navette_chassis import UnitOfWork, uuid7
from navette_contracts.sealed import Sealed

from navette_ins.domain.facts import FormerIns
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.senders import Sender
from navette_ins.domain.traits import Traits
from navette_ins.domain.verification import subject_with
from navette_ins.use_cases.desk import Desk

CONFIRM_CHANNEL = "insi-received-ins"


async def request_confirmation(
    uow: UnitOfWork, desk: Desk, *, message_id: str, identity: Identity, ins: FormerIns, traits: Traits, sender: Sender
) -> None:
    """Schedule the verification of what a kept message says. Raises RuleBroken for a name INSi does not take."""
    subject = asdict(subject_with(ins, traits))
    sealed: Sealed[dict[str, Any]] = Sealed.seal(subject, desk.keyring())
    payload = {"message_id": message_id, "sealed": sealed.token, "site_id": sender.site_id, "by": sender.actor}
    await uow.schedule(CONFIRM_CHANNEL, key=uuid7(), group=identity.patient_id, payload=payload)
    await uow.record_access(sender.actor, "insi.verify", "patient", identity.patient_id, identity.site_id, "granted")
