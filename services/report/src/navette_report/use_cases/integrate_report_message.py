"""What a kept message leads to: read, matched with a patient, and placed; or set waiting with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import ParamSpec, TypeVar

from navette_chassis import UnitOfWork
from navette_chassis.blind_index import BlindIndex
from navette_chassis.unit_of_work import Document
from navette_documents.hl7v2 import Hl7Error, parse
from navette_documents.sites import Site, share_identities

from navette_report.adapters.intake_messages import MessageState, MessageStore, Settled
from navette_report.adapters.patient_keys import PatientKeys
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.intake import cda, matching, submitted
from navette_report.domain.intake.claims import Doing, ReceivedReport, Unfit
from navette_report.domain.intake.reading import read_report
from navette_report.domain.intake.senders import Source
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.file_relayed_document import file_relayed_document
from navette_report.use_cases.mask_draft import mask_meanwhile
from navette_report.use_cases.place_received_report import Arrival, place_received_report
from navette_report.use_cases.receive_document import ReceptionDesk
from navette_report.use_cases.receive_report_message import IntakeRules, sender_of

P = ParamSpec("P")
T = TypeVar("T")

_LARGE = 128 * 1024
"""Bytes: an RTF of this size is read in some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class IntakeDesk:
    """What integrating works with besides the unit of work."""

    rules: IntakeRules
    index: BlindIndex
    sites: Mapping[str, Site]
    zone: tzinfo

    @property
    def reception(self) -> ReceptionDesk:
        """Where documents of others go."""
        return ReceptionDesk(self.rules.keyring, self.index, self.rules.tokens, self.sites, self.zone)

    def keys(self, uow: UnitOfWork) -> PatientKeys:
        """The patients by number, inside a unit of work."""
        return PatientKeys(uow, self.rules.keyring, self.index)


class Postponed(Forbidden):
    """Not now, the report is just being composed, or an earlier message about it is still due: to be tried again.

    `refers` are the names of what it is about, to be remembered so that a later message does not overtake it.
    """

    def __init__(self, rule: str, refers: tuple[str, ...]) -> None:
        super().__init__(rule)
        self.refers = refers


class Unread(Unfit):
    """The body cannot be read; what the message says beside it holds."""

    def __init__(self, unfit: Unfit, told: ReceivedReport, source: Source) -> None:
        super().__init__(unfit.reason, *unfit.remarks)
        self.told = told
        self.source = source


async def integrate_report_message(
    uow: UnitOfWork, desk: IntakeDesk, message_id: str, *, into: str | None = None
) -> Settled | None:
    """Integrate a message that is due; None when it is not (any more).

    `into`: the draft a person named for it. Raises Postponed: to be tried again.
    """
    messages = desk.rules.store(uow)
    row = await messages.get(message_id)
    if row is None or row["state"] != MessageState.RECEIVED.value:
        return None
    settled, source = await _outcome(uow, desk, messages, row, into)
    named = {} if source is None else {"sender": source.name, "site_id": source.site_id}
    await messages.settle(message_id, settled, **named)
    if settled.state is not MessageState.WAITING and settled.refers:
        await messages.release(settled.refers)
    return settled


def read_message(desk: IntakeDesk, row: Document, raw: bytes) -> tuple[ReceivedReport, Source]:
    """The report in a stored message. Raises Unfit or Hl7Error; Unread when its body is what cannot be read."""
    rules = desk.rules
    if row["form"] == "json":
        return submitted.opened(raw, name=row["sender"])
    message = parse(raw, rules.limits)
    sender = sender_of(message, rules)
    if sender is None:
        raise Unfit("unknown_sender")
    site = desk.sites[sender.site_id]
    try:
        report = read_report(message, sender, ipp_oid=site.ipp_oid, zone=desk.zone, production=rules.production)
    except Unfit as unfit:
        if unfit.report is None:
            raise
        raise Unread(unfit, unfit.report, sender.source) from None
    return report, sender.source


async def _outcome(
    uow: UnitOfWork, desk: IntakeDesk, messages: MessageStore, row: Document, into: str | None
) -> tuple[Settled, Source | None]:
    """Read, match, place. What stops it comes before anything is written about a report."""
    source: Source | None = None
    report: ReceivedReport | None = None
    refers: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    try:
        raw = await messages.content(row["_id"])
        found = await aside(raw, read_message, desk, row, raw)
        read, source = found
        refers = tuple(desk.rules.tokens.document(source.site_id, source.name, one) for one in read.names)
        if read.relayed:
            return await file_relayed_document(uow, desk.reception, read, source), source
        report = await aside(raw, cda.opened, read, zone=desk.zone)
        if into is None and await messages.waits_before(row["_id"], refers):
            raise Unfit("earlier_waiting")
        if into is None and await messages.due_before(row["_id"], refers):
            raise Postponed("earlier_due", refers)
        keys = desk.keys(uow)
        tokens = _tokens(keys, report, source)
        patient_id = await patient_of_message(uow, desk, report, source)
        _check_author(report, source)
        arrival = Arrival(row["_id"], row["received_at"], source, patient_id, desk.rules.tokens, keys, into=into)
        settled = await place_received_report(uow, arrival, report)
    except Unfit as unfit:
        if tokens:
            await desk.keys(uow).wait_for(tokens)
        if isinstance(unfit, Unread):
            await _mask_meanwhile(uow, desk, unfit.told, unfit.source)
        elif report is not None and source is not None:
            await _mask_meanwhile(uow, desk, report, source)
        waiting = Settled(MessageState.WAITING, unfit.reason, unfit.remarks, awaits=tokens, refers=refers)
        return waiting, source
    except Hl7Error as error:
        return Settled(MessageState.WAITING, error.rule, refers=refers), source
    except Forbidden as refused:
        raise refused if isinstance(refused, Postponed) else Postponed(refused.rule, refers) from None
    return replace(settled, refers=refers), source


async def aside(raw: bytes, work: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
    """Work on a message; on a large one in a thread, so that nobody else waits for it."""
    if len(raw) <= _LARGE:
        return work(*arguments, **more)
    return await asyncio.to_thread(work, *arguments, **more)


def _tokens(keys: PatientKeys, report: ReceivedReport, source: Source) -> tuple[str, ...]:
    claim, found = report.patient, []
    if claim.local_id:
        found.append(keys.of_local_id(source.site_id, claim.local_id))
    if claim.matricule:
        found.append(keys.of_ins(claim.ins_oid, claim.matricule))
    return tuple(found)


async def patient_of_message(uow: UnitOfWork, desk: IntakeDesk, report: ReceivedReport, source: Source) -> str:
    """The patient the report is about. Raises Unfit when it is not certain."""
    claim, keys = report.patient, desk.keys(uow)
    by_local_id: list[PatientIdentity] = []
    by_ins: list[PatientIdentity] = []
    if claim.local_id:
        by_local_id = await keys.candidates(keys.of_local_id(source.site_id, claim.local_id))
    if claim.matricule:
        # Who is known in another identity domain only is not known here (ADR 0011).
        found = await keys.candidates(keys.of_ins(claim.ins_oid, claim.matricule))
        by_ins = [one for one in found if share_identities(desk.sites, one.site_id, source.site_id)]
    identity = matching.match_patient(claim, by_local_id, by_ins, site_id=source.site_id)
    if identity.site_id != source.site_id:
        place = ("patient", identity.patient_id, identity.site_id)
        await uow.record_access(source.actor, "identity.use", *place, "granted")
    return identity.patient_id


async def _mask_meanwhile(uow: UnitOfWork, desk: IntakeDesk, report: ReceivedReport, source: Source) -> None:
    """What the message hides does not wait with it, once it is certain whom it is about."""
    if not report.choices:
        return
    with suppress(Unfit):
        patient_id = await patient_of_message(uow, desk, report, source)
        keys, tokens = desk.keys(uow), desk.rules.tokens
        await mask_meanwhile(uow, report, source=source, patient_id=patient_id, tokens=tokens, keys=keys)


def _check_author(report: ReceivedReport, source: Source) -> None:
    if report.doing is Doing.CANCEL or report.author.rpps or not source.author_required:
        return
    raise Unfit("author_unknown" if report.author.local_id or report.author.name else "author_missing")
