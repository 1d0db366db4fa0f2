"""Tell connected systems of a change of an identity, in the transaction of the change (RIS.INS.34, .36; issue 4.8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from navette_chassis import UnitOfWork, uuid7
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_chassis.deliveries.endpoints import note
from navette_chassis.mllp import MllpClient, outcome_of
from navette_contracts.events import WhoMustAct
from navette_contracts.sealed import Keyring, Sealed, SealError
from navette_documents.hl7v2 import control_id, decode, encode, sub
from navette_documents.sites import Site

from navette_ins.adapters.history import Changed
from navette_ins.adapters.ins_recipients import InsRecipients
from navette_ins.domain.pam.destinations import ConnectedSystem
from navette_ins.domain.pam.outgoing import Change, Notice, ins_of, notices, written
from navette_ins.domain.pam.senders import ACTOR
from navette_ins.domain.transitions import Act, Told


@dataclass(frozen=True, slots=True)
class Outbound:
    """What telling goes by."""

    systems: Sequence[ConnectedSystem]
    sites: Mapping[str, Site]
    keyring: Callable[[], Keyring]
    production: bool

    def authority(self, site_id: str) -> str:
        """CX-4 of the IPP of a site: its FINESS when the file of sites tells it."""
        site = self.sites.get(site_id)
        return sub(site_id, site_id, "L") if site is None else sub(site_id, site.finess, "N")


def tell_connected_systems(outbound: Outbound) -> Callable[[UnitOfWork, Sequence[Changed]], Awaitable[None]]:
    """A watcher of identities."""

    async def watch(uow: UnitOfWork, changes: Sequence[Changed]) -> None:
        for changed in changes:
            for system in outbound.systems:
                if system.concerned(changed.after.site_id) and not _echo(system, changed.by):
                    await _tell(uow, outbound, system, changed)

    return watch


async def _tell(uow: UnitOfWork, outbound: Outbound, system: ConnectedSystem, changed: Changed) -> None:
    patient_id = changed.after.patient_id
    recipients = InsRecipients(uow, outbound.keyring)
    held = await recipients.held(patient_id, system.name)
    change = Change(changed.act, changed.told, changed.before, changed.after, changed.other)
    for notice in notices(change, held):
        await _schedule(uow, outbound, system, notice)
    if changed.act is Act.RESTORED:
        # Somebody has to part the two records over there by hand.
        await note(uow, system.channel, "unmerge_by_hand", f"{system.channel}:{uuid7()}", patient_id=patient_id)
        return
    if changed.act is Act.ABSORBED or (held is not None and ins_of(changed.after) is None):
        await recipients.withdrawn(patient_id, system.name)
    elif (ins := ins_of(changed.after)) is not None and ins != held and changed.told is not Told.NOBODY:
        await recipients.given(patient_id, system.name, ins)


async def _schedule(uow: UnitOfWork, outbound: Outbound, system: ConnectedSystem, notice: Notice) -> None:
    """Freeze the bytes: however often they are sent, they are the same, with the same MSH-10."""
    patient_id = notice.identity.patient_id
    key = f"{patient_id}/{notice.identity.revision}/{notice.event}"
    number = control_id(system.name, key)
    data, charset = written(
        notice, system, number=number, at=uow.now, production=outbound.production, authority=outbound.authority
    )
    text = decode(data).text
    payload = {
        "sealed": Sealed.seal(text, outbound.keyring()).token,
        "charset": charset,
        "control_id": number,
        "event": notice.event,
        "patient_id": patient_id,
        "ins": _told_of_ins(notice),
    }
    await uow.schedule(system.channel, key=key, group=f"{system.channel}/{patient_id}", payload=payload)
    if notice.ins is not None or notice.withdrawn is not None:
        await uow.record_access("ins", "ins.share", "patient", patient_id, notice.identity.site_id, "granted")


def send_pam_message(
    client: Callable[[], MllpClient], keyring: Callable[[], Keyring]
) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt of a channel. A message that may have arrived is sent again as it was: MSH-10 tells the receiver."""

    async def attempt(delivery: Delivery) -> Outcome:
        sealed: Sealed[str] = Sealed(delivery.payload["sealed"])
        try:
            text = sealed.open(keyring(), str)
        except SealError:
            return Outcome.permanent("key_unknown", WhoMustAct.OPERATOR)
        data = encode(text, delivery.payload["charset"])
        return outcome_of(await client().send(data, delivery.payload["control_id"]))

    return attempt


def settle_pam_message(
    system: ConnectedSystem, keyring: Callable[[], Keyring]
) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement of a channel: who has the INS now."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        what = delivery.payload["ins"]
        if outcome.kind is OutcomeKind.DELIVERED and what != "none":
            recipients = InsRecipients(uow, keyring)
            await recipients.arrived(delivery.payload["patient_id"], system.name, withdrawal=what == "withdrawn")

    return settle


def _told_of_ins(notice: Notice) -> str:
    if notice.ins is not None:
        return "given"
    return "none" if notice.withdrawn is None else "withdrawn"


def _echo(system: ConnectedSystem, by: str) -> bool:
    return system.echo_of is not None and by == f"{ACTOR}{system.echo_of}"
