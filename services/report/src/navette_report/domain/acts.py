"""What people do to a report, as pure functions: write, propose, agree, announce, replace, withdraw.

Each raises Forbidden with the rule it breaks; none knows a clock or a database.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from navette_contracts.events import Audience, WhoMustAct

from navette_report.domain.choices import SignatureChoices, forbidden_combinations, made_by, standing
from navette_report.domain.content import ReportContent
from navette_report.domain.lifecycle import IN_FORCE, TRANSITIONS, Act, Forbidden, State
from navette_report.domain.origin import Origin
from navette_report.domain.report import Agreement, Announcement, Proposal, Report, Signature, Version, Withdrawal, sign


def edit_draft(report: Report, content: ReportContent) -> Report:
    """Other content for the draft. What co-readers agreed with no longer exists, so they are asked again."""
    origin = report.current.origin
    ours = None if origin is None else origin.model_copy(update={"edited_here": True})
    return report.with_current(report.current.after(Act.EDIT, content=content, agreements=(), origin=ours))


def take_over(report: Report, content: ReportContent, origin: Origin) -> Report:
    """The text of a received report becomes that of the draft. Raises Forbidden once somebody here wrote it."""
    version = report.current
    written_here = version.origin is None and bool(version.content.findings or version.content.conclusion)
    if written_here or (version.origin is not None and version.origin.edited_here):
        raise Forbidden("draft_written_here")
    return report.with_current(version.after(Act.EDIT, content=content, agreements=(), origin=origin))


def wanted_choices(report: Report, changes: dict[str, bool]) -> SignatureChoices:
    """The choices that stand, with these changes."""
    return SignatureChoices.model_validate(standing(report.current.choices).model_dump() | changes)


def choose(report: Report, changes: dict[str, bool], *, by: str, at: datetime) -> Report:
    """Set choices before validation; what is not named stays. What could not be signed is refused here already."""
    wanted = wanted_choices(report, changes)
    chosen = _chosen(report, wanted, by=by, at=at)
    broken = (*forbidden_combinations(wanted), *closed_choices(report, wanted))
    if broken:
        raise Forbidden(broken[0])
    return chosen


def hide(report: Report, asked: dict[str, bool], *, by: str, at: datetime) -> Report:
    """Take over what a sender hides. Whether it could be signed is no reason to drop it: the signature answers that."""
    return _chosen(report, wanted_choices(report, asked), by=by, at=at)


def _chosen(report: Report, wanted: SignatureChoices, *, by: str, at: datetime) -> Report:
    edited = report.current.after(Act.EDIT)
    choices = made_by(report.current.choices, wanted, by=by, at=at)
    return report.with_current(edited.model_copy(update={"choices": choices}))


def propose(
    report: Report, co_readers: tuple[str, ...], *, by_rpps: str, at: datetime, take_over: bool = False
) -> Report:
    """Make the draft provisional: `co_readers` must agree before it is validated. Who proposes it agrees.

    Only who proposed it changes whose agreement is needed; another says explicitly that they take that over. What was
    agreed before is void either way.
    """
    proposer = report.current.proposed_by
    if proposer not in (None, by_rpps) and not take_over:
        raise Forbidden("proposed_by_another")
    others = tuple(dict.fromkeys(rpps for rpps in co_readers if rpps != by_rpps))
    if not others:
        raise Forbidden("co_reader_missing")
    readers = (by_rpps, *others)
    agreed = (Agreement(rpps=by_rpps, at=at),)
    started = report.current.proposed_at or at
    proposals = (*report.current.proposals, Proposal(by_rpps=by_rpps, at=at, co_readers=readers))
    version = report.current.after(
        Act.PROPOSE, co_readers=readers, agreements=agreed, proposed_at=started, proposals=proposals
    )
    return report.with_current(version)


def agree(report: Report, *, rpps: str, at: datetime) -> Report:
    """One co-reader agrees. Agreeing twice changes nothing."""
    version = report.current
    target = version.after(Act.AGREE)
    if rpps not in version.co_readers:
        raise Forbidden("not_a_co_reader")
    if rpps not in version.missing_agreements:
        return report
    return report.with_current(
        target.model_copy(update={"agreements": (*version.agreements, Agreement(rpps=rpps, at=at))})
    )


def start_replacement(report: Report, *, built_on: int, content: ReportContent, origin: Origin | None = None) -> Report:
    """Open the draft of the next version. It must be built on the last validated one."""
    validated = report.validated
    if report.draft is not None:
        raise Forbidden("replacement_already_being_written" if validated else "not_validated_yet")
    if validated is None or built_on != validated.number:
        raise Forbidden("not_built_on_the_last_version")
    validated.after(Act.REPLACE)
    # The masks of the former version are carried forward unless somebody removes them (spec/dmp.md §6.8).
    spent = "announcement_needed" if validated.announcement is not None else None
    draft = Version(
        number=validated.number + 1,
        state=State.DRAFT,
        content=content,
        model=validated.model,
        origin=origin,
        choices=tuple(one for one in validated.choices if one.name != spent),
    )
    return report.model_copy(update={"versions": (*report.versions, draft)})


def abandon_replacement(report: Report) -> Report:
    """Throw the draft of the next version away: it was never validated, and the version in force stays."""
    if report.draft is None or report.validated is None:
        raise Forbidden("no_replacement_being_written")
    return report.model_copy(update={"versions": report.versions[:-1]})


def validate(report: Report, signature: Signature) -> Report:
    """Sign the draft; the version it replaces ends in the same act."""
    former = report.validated
    broken = closed_choices(report, signature.choices)
    if broken:
        raise Forbidden(broken[0])
    signed = sign(report.current, signature)
    if former is None or former.number == signed.number:
        return report.with_current(signed)
    return report.with_current(former.after(Act.REPLACE)).with_current(signed)


def closed_choices(report: Report, choices: SignatureChoices) -> tuple[str, ...]:
    """Rules these choices break because of what earlier versions already showed; empty when they may be signed.

    Whoever received a version must receive its correction (spec/mss.md §5.1), and what was visible is not hidden
    again: to take it back, the report is withdrawn.
    """
    given = {party for edition in report.editions for party in edition.audience}
    broken = []
    if Audience.DMP in given and choices.withheld_from_dmp:
        broken.append("former_version_in_dmp")
    if Audience.PROFESSIONALS in given and choices.hidden_from_professionals:
        broken.append("former_version_seen_by_professionals")
    if (choices.hidden_from_patient and any(map(_shown_to_patient, report.versions))) or (
        choices.hidden_from_representatives and any(map(_shown_to_representatives, report.versions))
    ):
        broken.append("former_version_seen_by_patient")
    if Audience.PATIENT in given and choices.withheld_from_patient:
        broken.append("former_version_sent_to_patient")
    return tuple(broken)


def _shown_to_patient(version: Version) -> bool:
    return any(
        Audience.PATIENT in edition.audience or (Audience.DMP in edition.audience and not edition.hidden_from_patient)
        for edition in version.editions
    )


def _shown_to_representatives(version: Version) -> bool:
    """What was kept from them stays so in its correction: only a version they could read is not hidden again."""
    hidden = version.signature is not None and version.signature.choices.hidden_from_representatives
    return not hidden and _shown_to_patient(version)


def announce(report: Report, *, by: str, at: datetime) -> Report:
    """Record that the patient was told."""
    version = report.validated
    if version is None:
        raise Forbidden("not_validated_yet")
    announced = version.after(Act.ANNOUNCE, announcement=Announcement(by=by, at=at))
    if version.signature is None or not version.signature.choices.announcement_needed:
        raise Forbidden("nothing_to_announce")
    if version.announcement is not None:
        raise Forbidden("already_announced")
    return report.with_current(announced)


def withdraw(report: Report, *, by_rpps: str, at: datetime, reason: str | None) -> Report:
    """Annul the report as it stands; a draft of the next version goes with it."""
    version = report.validated
    if version is None:
        raise Forbidden("not_validated_yet")
    withdrawn = version.after(Act.WITHDRAW, withdrawal=Withdrawal(by_rpps=by_rpps, at=at, reason=reason))
    kept = report if report.draft is None else abandon_replacement(report)
    return kept.with_current(withdrawn)


class Offer(StrEnum):
    """An act the software offers for a report as it stands. None of them hides what was visible."""

    EDIT = "edit"
    CHOOSE = "choose"
    PROPOSE = "propose"
    AGREE = "agree"
    SIGN = "sign"
    ABANDON = "abandon"
    ANNOUNCE = "announce"
    REPLACE = "replace"
    WITHDRAW = "withdraw"
    RECOMPOSE = "recompose"


def offered(report: Report) -> tuple[tuple[Offer, WhoMustAct], ...]:
    """The acts that would be accepted now, with whose they are."""
    acts: list[tuple[Offer, WhoMustAct]] = []
    doctor = WhoMustAct.RADIOLOGIST
    validated, draft = report.validated, report.draft
    if draft is not None:
        acts += [(Offer.EDIT, WhoMustAct.SECRETARY), (Offer.CHOOSE, WhoMustAct.SECRETARY), (Offer.PROPOSE, doctor)]
        if draft.missing_agreements:
            acts.append((Offer.AGREE, doctor))
        elif draft.origin is None or draft.origin.obstacle is None:
            acts.append((Offer.SIGN, doctor))
        if validated is not None:
            acts.append((Offer.ABANDON, doctor))
    if validated is not None and validated.state in IN_FORCE:
        if validated.findings:
            acts.append((Offer.RECOMPOSE, doctor))
        if validated.to_announce:
            acts.append((Offer.ANNOUNCE, doctor))
        if draft is None and (validated.state, Act.REPLACE) in TRANSITIONS:
            acts.append((Offer.REPLACE, doctor))
        acts.append((Offer.WITHDRAW, doctor))
    return tuple(acts)


def offered_to(report: Report, *, radiologist: bool, rpps: str | None) -> tuple[Offer, ...]:
    """The acts one member of the care team may do now."""
    draft = report.draft
    missing = () if draft is None else draft.missing_agreements
    offers = [act for act, who in offered(report) if radiologist or who is not WhoMustAct.RADIOLOGIST]
    if Offer.AGREE in offers and rpps not in missing:
        offers.remove(Offer.AGREE)
    if radiologist and missing == (rpps,):
        # Who signs agrees by signing.
        offers.append(Offer.SIGN)
    return tuple(offers)


def open_choices(report: Report, *, minor: bool) -> tuple[str, ...]:
    """The choices that may still be made: never one that hides what an earlier version showed.

    One that stands is among them whatever it is: a box that is not there would say no in silence.
    """
    stands = standing(report.current.choices)
    return tuple(
        name
        for name in SignatureChoices.model_fields
        if getattr(stands, name)
        or (
            not closed_choices(report, SignatureChoices.model_validate({name: True}))
            and (minor or name != "secret_connection")
        )
    )
