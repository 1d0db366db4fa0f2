"""What people may do to a report, and what no sequence of acts can reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from navette_contracts.events import Audience, DocumentReference, WhoMustAct
from navette_report.adapters.reports import HELD, PROVISIONAL, TO_ANNOUNCE, WAITING_INS, worklists_of
from navette_report.domain import acts
from navette_report.domain.acts import Offer, offered
from navette_report.domain.audience import audience
from navette_report.domain.choices import SignatureChoices, forbidden_combinations, standing
from navette_report.domain.document import document_model
from navette_report.domain.editions import plan_edition
from navette_report.domain.lifecycle import IN_FORCE, UNVALIDATED, Act, Forbidden, State
from navette_report.domain.report import Edition, Finding, Report, Signatory, Signature

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ANNE, BRUNO, CHLOE = "99700000019", "99700000027", "99700000035"


def signature(rpps: str = ANNE, **choices: bool) -> Signature:
    return Signature(
        signatory=Signatory(rpps=rpps, family_name="FICTIF"), signed_at=T0, choices=SignatureChoices(**choices)
    )


def compose(report: Report, *, qualified: bool, refused: frozenset[str] = frozenset()) -> Report:
    """The next edition of the validated version, if one is due, as the service would make it."""
    version = report.validated
    if version is None or version.in_force is None:
        return report
    plan = plan_edition(report, audience(version.in_force, qualified=qualified), qualified=qualified, refused=refused)
    if plan is None:
        return report
    reference = DocumentReference(
        document_id=f"document-{plan.number}", cda_sha256="0" * 64, cda_size=1, pdf_sha256="0" * 64, pdf_size=1,
        unique_id=f"1.2.3.{plan.number}", set_id="1.2.3", version_number=plan.number, level="N1",
    )  # fmt: skip
    edition = Edition(
        reference=reference,
        ins_qualified=qualified,
        identity_revision=1,
        audience=plan.audience,
        replaces_unique_id=plan.replaces_unique_id,
        hidden_from_patient=version.in_force.visibility.hidden_from_patient,
        composed_at=T0,
    )
    return report.with_current(version.after(Act.COMPOSE, editions=(*version.editions, edition)))


def replaced(report: Report, samples, **choices: bool) -> Report:
    """The report with one more validated version."""
    number = report.validated.number
    started = acts.start_replacement(report, built_on=number, content=samples.content(title="Version corrigée"))
    return acts.validate(started, signature(**choices))


@pytest.mark.dsr("RIS.CRR.03")
def test_once_announced_the_dmp_gets_an_edition_that_hides_nothing_and_the_patient_gets_the_mail(samples):
    report = compose(acts.validate(samples.draft(), signature(announcement_needed=True)), qualified=True)
    first = report.editions[0]
    assert (first.audience, first.hidden_from_patient) == ((Audience.DMP, Audience.PROFESSIONALS), True)
    assert compose(report, qualified=True) == report

    report = compose(acts.announce(report, by="user-1", at=T0), qualified=True)
    second = report.editions[1]
    assert (second.audience, second.hidden_from_patient) == ((Audience.DMP, Audience.PATIENT), False)
    assert second.replaces_unique_id == first.reference.unique_id
    assert compose(report, qualified=True) == report


@pytest.mark.dsr("RIS.CRR.03")
def test_announced_before_anything_was_made_the_first_edition_already_shows(samples):
    report = acts.announce(acts.validate(samples.draft(), signature(announcement_needed=True)), by="u", at=T0)
    report = compose(report, qualified=True)
    assert [one.hidden_from_patient for one in report.editions] == [False]
    assert report.editions[0].audience == (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)


def test_a_dmp_that_refused_the_hidden_edition_is_not_asked_to_replace_it(samples):
    report = compose(acts.validate(samples.draft(), signature(announcement_needed=True)), qualified=True)
    report = acts.announce(report, by="u", at=T0)
    report = compose(report, qualified=True, refused=frozenset({report.editions[0].reference.unique_id}))
    assert report.editions[1].audience == (Audience.PATIENT,)


@pytest.mark.dsr("RIS.CRR.03")
@pytest.mark.parametrize(
    ("choices", "times", "rule"),
    [({}, 1, "nothing_to_announce"), ({"announcement_needed": True}, 2, "already_announced")],
)
def test_only_what_is_to_announce_is_announced_and_once(samples, choices, times, rule):
    report = acts.validate(samples.draft(), signature(**choices))
    for _ in range(times - 1):
        report = acts.announce(report, by="u", at=T0)
    with pytest.raises(Forbidden, match=rule):
        acts.announce(report, by="u", at=T0)


@pytest.mark.dsr("RIS.DMP.02", "RIS.MSS.15")
def test_a_replacement_ends_the_former_version_and_names_what_the_dmp_holds(samples):
    report = compose(acts.validate(samples.draft(), signature()), qualified=True)
    report = compose(replaced(report, samples), qualified=True)
    assert [version.state for version in report.versions] == [State.REPLACED, State.COMPOSED]
    first, second = report.editions
    assert second.replaces_unique_id == first.reference.unique_id
    assert second.audience == (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)


@pytest.mark.dsr("RIS.MSS.15")
def test_only_a_version_that_somebody_may_have_is_said_to_be_annulled(samples):
    def former_of(report: Report) -> int | None:
        choices = report.current.in_force
        plan = plan_edition(report, audience(choices, qualified=True), qualified=True)
        place = samples.site()
        model = document_model(report, plan, samples.identity(), place, ipp_oid="1.2", composed_at=T0, zone=UTC)
        return None if model.former is None else model.former.number

    held = acts.validate(samples.draft(), signature())
    held = held.with_current(held.current.after(Act.HOLD, findings=(Finding(rule="x", path="y"),)))
    second = replaced(held, samples)
    assert former_of(second) is None
    third = replaced(compose(second, qualified=True), samples)
    third = third.with_current(third.current.after(Act.HOLD, findings=(Finding(rule="x", path="y"),)))
    assert former_of(replaced(third, samples)) == 2


def test_a_former_version_the_dmp_refused_is_not_named(samples):
    report = compose(acts.validate(samples.draft(), signature()), qualified=True)
    refused = frozenset({report.editions[0].reference.unique_id})
    assert compose(replaced(report, samples), qualified=True, refused=refused).editions[1].replaces_unique_id is None


@pytest.mark.dsr("RIS.DMP.02")
def test_a_replacement_is_built_on_the_last_validated_version_only(samples):
    report = compose(acts.validate(samples.draft(), signature()), qualified=True)
    report = compose(replaced(report, samples), qualified=True)
    with pytest.raises(Forbidden, match="not_built_on_the_last_version"):
        acts.start_replacement(report, built_on=1, content=samples.content())
    started = acts.start_replacement(report, built_on=2, content=samples.content())
    with pytest.raises(Forbidden, match="replacement_already_being_written"):
        acts.start_replacement(started, built_on=2, content=samples.content())
    with pytest.raises(Forbidden, match="not_validated_yet"):
        acts.start_replacement(samples.draft(), built_on=1, content=samples.content())


def test_a_replacement_being_written_holds_nothing_back_and_can_be_given_up(samples):
    report = acts.validate(samples.draft(), signature())
    report = compose(report, qualified=False)
    started = acts.start_replacement(report, built_on=1, content=samples.content())
    released = compose(started, qualified=True)
    assert released.validated.served == {Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT}
    assert acts.abandon_replacement(released).versions == released.versions[:1]
    with pytest.raises(Forbidden, match="no_replacement_being_written"):
        acts.abandon_replacement(report)


def test_while_its_document_is_being_made_a_version_is_not_replaced(samples):
    with pytest.raises(Forbidden, match="replace_not_allowed_when_signed"):
        acts.start_replacement(acts.validate(samples.draft(), signature()), built_on=1, content=samples.content())


def test_masks_are_carried_forward_but_not_an_announcement_already_made(samples):
    report = acts.validate(samples.draft(), signature(announcement_needed=True, hidden_from_representatives=True))
    report = acts.announce(compose(report, qualified=True), by="u", at=T0)
    started = acts.start_replacement(report, built_on=1, content=samples.content())
    assert standing(started.current.choices) == SignatureChoices(hidden_from_representatives=True)


@pytest.mark.dsr("RIS.DMP.06")
@pytest.mark.parametrize(
    ("first", "next_one", "rule"),
    [
        ({}, {"withheld_from_dmp": True}, "former_version_in_dmp"),
        ({}, {"hidden_from_professionals": True}, "former_version_seen_by_professionals"),
        ({}, {"hidden_from_patient": True}, "former_version_seen_by_patient"),
        ({"withheld_from_patient": True}, {"hidden_from_patient": True}, "former_version_seen_by_patient"),
        ({}, {"hidden_from_representatives": True}, "former_version_seen_by_patient"),
        ({}, {"withheld_from_patient": True}, "former_version_sent_to_patient"),
    ],
)
def test_what_was_visible_is_not_hidden_again(samples, first, next_one, rule):
    report = compose(acts.validate(samples.draft(), signature(**first)), qualified=True)
    with pytest.raises(Forbidden, match=rule):
        replaced(report, samples, **next_one)


CHOSEN = st.sets(st.sampled_from(sorted(SignatureChoices.model_fields))).map(lambda names: dict.fromkeys(names, True))


@pytest.mark.dsr("RIS.DMP.06", "RIS.DMP.07")
@given(chosen=CHOSEN, announced=st.booleans(), qualified=st.booleans())
def test_the_correction_of_a_masked_report_may_stay_as_masked_as_it_was(samples, chosen, announced, qualified):
    assume(not forbidden_combinations(SignatureChoices(**chosen)))
    report = compose(acts.validate(samples.draft(), signature(**chosen)), qualified=qualified)
    if announced and report.current.to_announce:
        report = compose(acts.announce(report, by="u", at=T0), qualified=qualified)
    started = acts.start_replacement(report, built_on=1, content=samples.content())
    carried = standing(started.current.choices)
    # The page offers every mask that stands: a box it leaves out would count as not ticked.
    assert {name for name, value in carried if value} <= set(acts.open_choices(started, minor=True))
    assert acts.validate(started, signature(**carried.model_dump())).current.in_force == carried


def test_a_corrected_version_may_need_an_announcement_of_its_own(samples):
    report = compose(acts.validate(samples.draft(), signature()), qualified=True)
    report = compose(replaced(report, samples, announcement_needed=True), qualified=True)
    assert report.editions[1].audience == (Audience.DMP, Audience.PROFESSIONALS)
    assert report.editions[1].hidden_from_patient


@pytest.mark.dsr("RIS.DMP.02")
def test_a_withdrawal_is_final_and_takes_a_draft_with_it(samples):
    report = compose(acts.validate(samples.draft(), signature()), qualified=True)
    report = acts.start_replacement(report, built_on=1, content=samples.content())
    gone = acts.withdraw(report, by_rpps=ANNE, at=T0, reason=None)
    assert [version.state for version in gone.versions] == [State.WITHDRAWN]
    assert (gone.current.withdrawal.by_rpps, offered(gone)) == (ANNE, ())
    assert compose(gone, qualified=True) == gone
    for again in (
        lambda: acts.withdraw(gone, by_rpps=ANNE, at=T0, reason=None),
        lambda: acts.announce(gone, by="u", at=T0),
        lambda: acts.start_replacement(gone, built_on=1, content=samples.content()),
    ):
        with pytest.raises(Forbidden):
            again()


def test_what_was_never_validated_is_not_withdrawn(samples):
    with pytest.raises(Forbidden, match="not_validated_yet"):
        acts.withdraw(samples.draft(), by_rpps=ANNE, at=T0, reason=None)


@pytest.mark.dsr("RIS.CRR.04")
def test_a_provisional_report_is_validated_once_every_co_reader_agreed(samples):
    report = acts.propose(samples.draft(), (BRUNO, CHLOE), by_rpps=ANNE, at=T0)
    assert (report.current.state, report.current.missing_agreements) == (State.PROVISIONAL, (BRUNO, CHLOE))
    report = acts.agree(report, rpps=BRUNO, at=T0)
    assert acts.agree(report, rpps=BRUNO, at=T0) == report
    with pytest.raises(Forbidden, match="agreement_of_a_co_reader_missing"):
        acts.validate(report, signature())
    with pytest.raises(Forbidden, match="not_a_co_reader"):
        acts.agree(report, rpps="99700000043", at=T0)
    # The last one may validate: validating is agreeing.
    assert acts.validate(report, signature(CHLOE)).current.state is State.SIGNED
    assert acts.validate(acts.agree(report, rpps=CHLOE, at=T0), signature()).current.state is State.SIGNED


@pytest.mark.dsr("RIS.CRR.04")
def test_an_edit_asks_the_co_readers_again(samples):
    report = acts.agree(acts.propose(samples.draft(), (BRUNO,), by_rpps=ANNE, at=T0), rpps=BRUNO, at=T0)
    assert acts.edit_draft(report, samples.content(title="Autre titre")).current.missing_agreements == (ANNE, BRUNO)


def test_nobody_is_their_own_co_reader(samples):
    with pytest.raises(Forbidden, match="co_reader_missing"):
        acts.propose(samples.draft(), (ANNE,), by_rpps=ANNE, at=T0)


@pytest.mark.dsr("RIS.CRR.04")
def test_nobody_drops_a_co_reader_of_somebody_else_unsaid(samples):
    asked = acts.propose(samples.draft(), (BRUNO,), by_rpps=ANNE, at=T0)
    with pytest.raises(Forbidden, match="proposed_by_another"):
        acts.propose(asked, (CHLOE,), by_rpps=BRUNO, at=T0)
    # Nor after an edit, which asks everybody again.
    edited = acts.edit_draft(asked, samples.content(title="Relu"))
    with pytest.raises(Forbidden, match="proposed_by_another"):
        acts.propose(edited, (ANNE,), by_rpps=CHLOE, at=T0)
    taken = acts.propose(edited, (CHLOE,), by_rpps=BRUNO, at=T0, take_over=True)
    assert taken.current.missing_agreements == (CHLOE,)
    assert [one.by_rpps for one in taken.current.proposals] == [ANNE, BRUNO]


@pytest.mark.dsr("RIS.CRR.02", "RIS.DMP.03", "RIS.DMP.06")
def test_each_choice_is_stored_with_who_made_it_and_when(samples):
    flagged = acts.choose(samples.draft(), {"announcement_needed": True}, by="secretary-1", at=T0)
    later = T0 + timedelta(hours=1)
    signed = acts.validate(
        flagged,
        Signature(
            signatory=Signatory(rpps=ANNE, family_name="FICTIF"),
            signed_at=later,
            choices=SignatureChoices(announcement_needed=True, withheld_from_dmp=True),
        ),
    )
    made = [(one.name, one.value, one.by, one.at) for one in signed.current.choices]
    assert made == [
        ("announcement_needed", True, "secretary-1", T0),
        ("withheld_from_dmp", True, ANNE, later),
    ]


def test_choices_cannot_be_changed_after_validation(samples):
    with pytest.raises(Forbidden, match="edit_not_allowed_when_signed"):
        acts.choose(acts.validate(samples.draft(), signature()), {"hidden_from_patient": True}, by="u", at=T0)


@pytest.mark.dsr("RIS.CRR.05")
def test_a_report_stands_on_the_list_of_what_it_needs(samples):
    assert worklists_of(samples.draft()) == [PROVISIONAL]
    signed = acts.validate(samples.draft(), signature(announcement_needed=True))
    assert worklists_of(signed) == [TO_ANNOUNCE]
    assert worklists_of(compose(signed, qualified=False)) == [TO_ANNOUNCE, WAITING_INS]
    held = signed.with_current(signed.current.after(Act.HOLD, findings=(Finding(rule="r", path="p"),)))
    assert worklists_of(held) == [TO_ANNOUNCE, HELD]
    assert worklists_of(acts.withdraw(signed, by_rpps=ANNE, at=T0, reason=None)) == []
    done = compose(acts.validate(samples.draft(), signature()), qualified=True)
    assert worklists_of(done) == []


def test_offers_are_what_would_be_accepted_and_never_to_hide(samples):
    draft = samples.draft()
    assert [offer for offer, _ in offered(draft)] == [Offer.EDIT, Offer.CHOOSE, Offer.PROPOSE, Offer.SIGN]
    asked = acts.propose(draft, (BRUNO,), by_rpps=ANNE, at=T0)
    assert Offer.AGREE in dict(offered(asked))
    assert Offer.SIGN not in dict(offered(asked))
    done = compose(acts.validate(draft, signature(announcement_needed=True)), qualified=True)
    assert offered(done) == tuple(
        (offer, WhoMustAct.RADIOLOGIST) for offer in (Offer.ANNOUNCE, Offer.REPLACE, Offer.WITHDRAW)
    )
    assert not any("hide" in offer or "mask" in offer for offer in Offer)


STEPS = st.one_of(
    st.sampled_from(
        [
            "edit", "propose", "agree-bruno", "agree-chloe", "announce", "withdraw", "abandon",
            "compose", "compose-qualified", "hold", "wait", "replace", "replace-old",
        ]
    ),
    st.fixed_dictionaries({name: st.booleans() for name in SignatureChoices.model_fields}),
)  # fmt: skip


def play(report: Report, step: str | dict[str, bool], samples) -> Report:
    """One act of a user, or of the service itself."""
    if isinstance(step, dict):
        return acts.validate(report, signature(**step))
    number = report.validated.number if report.validated else 0
    if step in ("hold", "wait"):
        if report.validated is None:
            return report
        findings = (Finding(rule="r", path="p"),) if step == "hold" else ()
        return report.with_current(report.validated.after(Act(step), findings=findings))
    doing = {
        "edit": lambda: acts.edit_draft(report, samples.content()),
        "propose": lambda: acts.propose(report, (BRUNO,), by_rpps=CHLOE, at=T0),
        "agree-bruno": lambda: acts.agree(report, rpps=BRUNO, at=T0),
        "agree-chloe": lambda: acts.agree(report, rpps=CHLOE, at=T0),
        "announce": lambda: acts.announce(report, by="u", at=T0),
        "withdraw": lambda: acts.withdraw(report, by_rpps=ANNE, at=T0, reason=None),
        "abandon": lambda: acts.abandon_replacement(report),
        "compose": lambda: compose(report, qualified=False),
        "compose-qualified": lambda: compose(report, qualified=True),
        "replace": lambda: acts.start_replacement(report, built_on=number, content=samples.content()),
        "replace-old": lambda: acts.start_replacement(report, built_on=max(0, number - 1), content=samples.content()),
    }
    return doing[step]()


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_no_sequence_of_acts_reaches_a_forbidden_state(samples, steps):
    report = samples.draft()
    for step in steps:
        before = report
        try:
            report = play(report, step, samples)
        except Forbidden:
            continue
        assert_sound(report)
        assert_history_kept(before, report)


def assert_sound(report: Report) -> None:
    """What must hold of any report, whatever was done to it."""
    states = [version.state for version in report.versions]
    assert [version.number for version in report.versions] == list(range(1, len(states) + 1))
    # At most one version counts, at most one is being written, and only the last can be.
    assert sum(state in IN_FORCE for state in states) <= 1
    assert all(state not in UNVALIDATED for state in states[:-1])
    assert all(state is State.REPLACED for state in states[:-2])
    if State.WITHDRAWN in states:
        assert states.index(State.WITHDRAWN) == len(states) - 1
    for version in report.versions:
        assert (version.signature is None) == (version.state in UNVALIDATED)
        assert not (version.signature is None and (version.editions or version.announcement))
        assert (version.withdrawal is not None) == (version.state is State.WITHDRAWN)
        if version.signature is not None:
            assert not (
                version.signature.choices.secret_connection and not version.in_force.hidden_from_representatives
            )
            assert not [rpps for rpps in version.missing_agreements if rpps != version.signature.signatory.rpps]
    assert_documents_sound(report)


def assert_documents_sound(report: Report) -> None:
    """No edition says to somebody what they may not know, names what they do not hold, or goes out twice."""
    assert [one.reference.version_number for one in report.editions] == list(range(1, len(report.editions) + 1))
    in_dmp: str | None = None
    shown = False
    for version in report.versions:
        seen: list[Audience] = []
        for edition in version.editions:
            choices = version.signature.choices
            assert edition.ins_qualified or set(edition.audience) <= {Audience.PROFESSIONALS}
            if Audience.PATIENT in edition.audience:
                assert not choices.announcement_needed or version.announcement is not None
                assert not choices.hidden_from_patient
                assert not choices.withheld_from_patient
            if Audience.DMP in edition.audience:
                assert not choices.withheld_from_dmp
                assert edition.replaces_unique_id == in_dmp
                in_dmp = edition.reference.unique_id
                # Only a result that is still to be announced may be invisible after its former version was not.
                assert not (shown and edition.hidden_from_patient and not choices.announcement_needed)
                shown = shown or not edition.hidden_from_patient
            seen += [party for party in edition.audience if party is not Audience.DMP]
        assert len(seen) == len(set(seen))
        given = [edition for edition in version.editions if Audience.DMP in edition.audience]
        assert [one.hidden_from_patient for one in given] in ([], [True], [False], [True, False])


def assert_history_kept(before: Report, after: Report) -> None:
    """What was validated stays as it was validated, and its documents with it."""
    for former, present in zip(before.versions, after.versions, strict=False):
        if former.signature is not None:
            assert present.signature == former.signature
            assert present.content == former.content
            assert present.editions[: len(former.editions)] == former.editions
    validated = [one for one in before.versions if one.signature is not None]
    assert len(after.versions) >= len(validated)
