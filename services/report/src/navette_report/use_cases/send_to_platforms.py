"""Hand a composed edition to the platforms that carry it or keep a copy (RIS.INTRA.01, DB/RIS.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from navette_chassis import UnitOfWork
from navette_contracts.events import Audience, WhoMustAct
from navette_contracts.sealed import Keyring, Sealed
from navette_documents.hl7v2 import control_id

from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.document import DocumentModel
from navette_report.domain.journey import Channel, Fact, LineKind, LineState, Place, party_of
from navette_report.domain.pfi.distribution import Distribution, Platform
from navette_report.domain.pfi.indicators import (
    Indicators,
    Objection,
    indicators_of,
    line_of,
    objection,
    without_mails,
)
from navette_report.domain.pfi.letter import Action, Addressee, Letter, addressees_of, letter_of
from navette_report.domain.pfi.succession import HELD, REPLAYABLE, MessageState
from navette_report.domain.report import Edition, Report
from navette_report.use_cases.fold_platform_facts import fold_message, message_place, place_of_message
from navette_report.use_cases.tell_removed_platform import label_of_removed, tell_removed_platform


@dataclass(frozen=True, slots=True)
class Outputs:
    """What handing over goes by."""

    distribution: Distribution = field(default_factory=Distribution)
    production: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class ComposedEdition:
    """One edition just composed, and what it was composed from."""

    report: Report
    version: int
    document: DocumentModel
    edition: Edition
    choices: SignatureChoices


async def send_edition(
    uow: UnitOfWork, outputs: Outputs, keyring: Callable[[], Keyring], composed: ComposedEdition
) -> None:
    """Schedule one message per platform concerned; what cannot be sent says why on its lines, and who must act."""
    edition, distribution = composed.edition, outputs.distribution
    for name in dict.fromkeys(edition.carriers.values()):
        parties = tuple(party for party in edition.audience if edition.carriers.get(party) == name)
        platform = distribution.platform(name)
        label = platform.label if platform is not None else await _former_label(uow, composed, name)
        await _name_carrier(uow, composed, label, parties)
        await _hand_over(uow, outputs, keyring, composed, name, parties)
    for name in await _copies(uow, distribution, composed):
        platform = distribution.platform(name)
        # A DRIMbox publishes its KOS for what is shared with the DMP, and for nothing else.
        if platform is None or platform.kind == "pfi" or Audience.DMP in edition.audience:
            await _hand_over(uow, outputs, keyring, composed, name, ())


async def _copies(uow: UnitOfWork, distribution: Distribution, composed: ComposedEdition) -> list[str]:
    """Who gets a copy, and who has one that this edition replaces, whatever the file says since."""
    carriers, replaced = composed.edition.carriers.values(), composed.edition.replaces_unique_id
    former = await PlatformMessages(uow).of(composed.report.report_id)
    holders = (one.platform for one in former if one.unique_id == replaced and one.state in HELD)
    names = dict.fromkeys((*distribution.routes(composed.report.site_id).copies, *holders))
    return [name for name in names if name not in carriers]


async def _former_label(uow: UnitOfWork, composed: ComposedEdition, name: str) -> str:
    """How the journey called a platform that is not in the file any more."""
    former = await PlatformMessages(uow).of(composed.report.report_id, name)
    edition = former[-1].edition if former else composed.edition.reference.version_number
    return await label_of_removed(uow, composed.report.report_id, name, edition)


async def _hand_over(
    uow: UnitOfWork,
    outputs: Outputs,
    keyring: Callable[[], Keyring],
    composed: ComposedEdition,
    name: str,
    parties: tuple[Audience, ...],
) -> None:
    """One message to one platform, or the reason why there is none."""
    platform = outputs.distribution.platform(name)
    if platform is None:
        label, edition = await _former_label(uow, composed, name), composed.edition.reference.version_number
        place = message_place(composed.report.report_id, composed.version, name, edition, label)
        await tell_removed_platform(uow, name, place)
        return
    store = PlatformMessages(uow)
    former = await store.of(composed.report.report_id, name)
    addressees = _addressees(composed, former, keyring())
    indicators = indicators_of(
        parties,
        composed.choices,
        platform,
        shared=Audience.DMP in composed.edition.audience,
        visibility_changed=_only_shows(composed),
        professionals_reachable=bool(addressees),
    )
    if Audience.PROFESSIONALS in parties:
        await _tell_unreachable(uow, composed)
    if parties and not (indicators.to_dmp or indicators.mails):
        return  # professionals without a mailbox, and nobody else
    against = _objection(composed, platform, indicators, former)
    filed = without_mails(indicators)
    if against is not None and filed.to_dmp and _objection(composed, platform, filed, former) is None:
        # No line of the matrix has these mails; the deposit has one of its own and does not wait for them.
        await _refuse_lines(uow, composed, tuple(one for one in parties if one is not Audience.DMP), against)
        indicators, against = filed, None
    message = _message(composed, platform, indicators, addressees, keyring())
    if against is not None:
        state = LineState.REFUSED if parties else LineState.CANCELLED
        fact = Fact(state=state, at=uow.now, reason=against.reason, who_must_act=against.who)
        await fold_message(uow, message, platform, fact)
        return
    await schedule_message(uow, platform, message)


async def schedule_message(uow: UnitOfWork, platform: Platform, message: PlatformMessage) -> None:
    """Store a message and promise it."""
    await PlatformMessages(uow).add(message)
    await promise_message(uow, platform, message)


async def promise_message(uow: UnitOfWork, platform: Platform, message: PlatformMessage) -> None:
    """Promise a stored message: messages about one report to one platform leave one after the other."""
    await uow.schedule(
        platform.channel,
        key=message.number,
        group=f"{platform.channel}/{message.report_id}",
        payload={"number": message.number, "report_id": message.report_id},
    )
    fact = Fact(state=LineState.SCHEDULED, at=uow.now, reason=message.remark)
    await JourneyRepository(uow).fold(place_of_message(message, platform.label), fact)


def _objection(
    composed: ComposedEdition, platform: Platform, indicators: Indicators, former: list[PlatformMessage]
) -> Objection | None:
    replaced = composed.edition.replaces_unique_id
    # A refused one may still be replayed before this one, which names it and cannot do without.
    reachable = HELD | REPLAYABLE
    if replaced is not None and not any(one.unique_id == replaced and one.state in reachable for one in former):
        carries = platform.name in composed.edition.carriers.values()
        return Objection("former_version_elsewhere", WhoMustAct.OPERATOR if carries else WhoMustAct.NOBODY)
    strict = platform.kind == "pfi" and platform.matrix == "strict"
    return objection(indicators, composed.choices, qualified=composed.edition.ins_qualified, strict=strict)


def _message(
    composed: ComposedEdition,
    platform: Platform,
    indicators: Indicators,
    addressees: tuple[Addressee, ...],
    keyring: Keyring,
) -> PlatformMessage:
    edition, report_id = composed.edition, composed.report.report_id
    action = Action.CREATE if edition.replaces_unique_id is None else Action.REPLACE
    letter = letter_of(
        composed.document,
        indicators,
        cda_sha256=edition.reference.cda_sha256,
        addressees=addressees,
        patient_domain=platform.patient_domain,
    )
    return PlatformMessage(
        number=control_id(platform.name, report_id, edition.reference.unique_id, action.value),
        platform=platform.name,
        report_id=report_id,
        version=composed.version,
        edition=edition.reference.version_number,
        unique_id=edition.reference.unique_id,
        replaces=edition.replaces_unique_id,
        action=action,
        state=MessageState.SCHEDULED,
        indicators=indicators,
        recipients=tuple((one.recipient_id, one.role) for one in letter.addressees),
        scheduled_at=composed.edition.composed_at,
        remark=None if platform.kind == "drimbox" or line_of(indicators) else "outside_matrix",
        letter=Sealed[Letter].seal(letter, keyring),
    )


def _addressees(composed: ComposedEdition, former: list[PlatformMessage], keyring: Keyring) -> tuple[Addressee, ...]:
    """Whom a mail of this edition may go to: those it names, and whoever this platform mailed an earlier version."""
    known: dict[str, Addressee] = {}
    for message in former:
        if message.state in HELD:
            letter = message.letter.open(keyring, Letter)
            known |= {one.recipient_id: one for one in letter.addressees}
    return addressees_of(composed.document, tuple(known.values()))


def _only_shows(composed: ComposedEdition) -> bool:
    """Whether the edition replaces one of the same version: its text is the same, its visibility is not."""
    replaced = composed.edition.replaces_unique_id
    version = next(one for one in composed.report.versions if one.number == composed.version)
    return replaced is not None and any(one.reference.unique_id == replaced for one in version.editions)


async def _name_carrier(uow: UnitOfWork, composed: ComposedEdition, label: str, parties: tuple[Audience, ...]) -> None:
    """Write on the lines of these parties who carries them."""
    journeys = JourneyRepository(uow)
    for line in await journeys.of_version(composed.report.report_id, composed.version):
        if line.kind is not LineKind.WITHDRAWAL and party_of(line.channel, line.role) in parties:
            await journeys.put(line.model_copy(update={"carrier": label}))


async def _tell_unreachable(uow: UnitOfWork, composed: ComposedEdition) -> None:
    """A platform writes to the address it is given: a correspondent without one is not reached."""
    fact = Fact(state=LineState.REFUSED, at=uow.now, reason="mss_address_missing", who_must_act=WhoMustAct.SECRETARY)
    for one in composed.document.content.correspondents:
        if one.mss_address is None:
            place = Place(composed.report.report_id, composed.version, Channel.MSS, one.recipient_id, one.role)
            await JourneyRepository(uow).fold(place, fact)


async def _refuse_lines(
    uow: UnitOfWork, composed: ComposedEdition, parties: tuple[Audience, ...], against: Objection
) -> None:
    fact = Fact(state=LineState.REFUSED, at=uow.now, reason=against.reason, who_must_act=against.who)
    journeys = JourneyRepository(uow)
    for line in await journeys.of_version(composed.report.report_id, composed.version):
        if line.kind is not LineKind.WITHDRAWAL and party_of(line.channel, line.role) in parties:
            told = line.fold(fact)
            if told is not line:
                await journeys.put(told)
