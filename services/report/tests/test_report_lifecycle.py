"""States of a version, signature, and what is composed when."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import Audience, DocumentReference
from navette_report.domain.audience import audience
from navette_report.domain.editions import plan_edition, replaced_for
from navette_report.domain.lifecycle import TRANSITIONS, UNVALIDATED, Act, Forbidden, State
from navette_report.domain.report import Edition, sign
from navette_report.domain.signatory import signatory_of, specialty_of


def edition(samples, number, *, qualified, parties):
    reference = DocumentReference(
        document_id=f"document-{number}",
        cda_sha256="0" * 64,
        cda_size=1,
        pdf_sha256="0" * 64,
        pdf_size=1,
        unique_id=f"1.2.3.{number}",
        set_id="1.2.3",
        version_number=number,
        level="N1",
    )
    return Edition(
        reference=reference,
        ins_qualified=qualified,
        identity_revision=number,
        audience=parties,
        composed_at=samples.signature().signed_at,
    )


def composed(samples, report, *editions):
    version = report.current.after(Act.COMPOSE, editions=(*report.current.editions, *editions))
    return report.with_current(version)


@pytest.mark.parametrize(("state", "act"), list(product(State, Act)))
def test_only_the_acts_of_the_table_are_possible(samples, state, act):
    version = samples.draft().current.model_copy(update={"state": state})
    if (state, act) in TRANSITIONS:
        assert version.after(act).state is TRANSITIONS[state, act]
    else:
        with pytest.raises(Forbidden) as refused:
            version.after(act)
        assert refused.value.rule == f"{act}_not_allowed_when_{state}"


@given(acts=st.lists(st.sampled_from(Act), max_size=8))
def test_no_sequence_of_acts_unsigns_a_report_or_composes_an_unsigned_one(samples, acts):
    version = samples.draft().current
    signed = False
    for act in acts:
        try:
            version = version.after(act)
        except Forbidden:
            continue
        signed = signed or act is Act.SIGN
        assert (version.state not in UNVALIDATED) == signed


@pytest.mark.parametrize("missing", ["findings", "conclusion"])
def test_an_incomplete_report_cannot_be_signed(samples, missing):
    draft = samples.draft(samples.content(**{missing: ""}))
    with pytest.raises(Forbidden, match=f"{missing}_missing"):
        sign(draft.current, samples.signature())


@pytest.mark.dsr("RIS.DMP.06")
@pytest.mark.parametrize(
    ("choices", "rule"),
    [
        (
            {"hidden_from_professionals": True, "hidden_from_patient": True},
            "hidden_from_professionals_and_patient",
        ),
        (
            {"hidden_from_professionals": True, "announcement_needed": True},
            "hidden_from_professionals_until_announced",
        ),
    ],
)
def test_choices_the_dmp_refuses_together_cannot_be_signed(samples, choices, rule):
    with pytest.raises(Forbidden, match=rule):
        sign(samples.draft().current, samples.signature(**choices))


def test_a_signed_report_cannot_be_signed_again(samples):
    with pytest.raises(Forbidden, match="sign_not_allowed_when_signed"):
        sign(samples.signed().current, samples.signature())


@pytest.mark.dsr("RIS.INS.37")
def test_once_qualified_a_new_edition_is_made_for_those_not_served_only(samples):
    report = samples.signed()
    choices = report.current.signature.choices
    first = plan_edition(report, audience(choices, qualified=False), qualified=False)
    assert (first.number, first.audience) == (1, (Audience.PROFESSIONALS,))
    report = composed(samples, report, edition(samples, 1, qualified=False, parties=first.audience))

    assert plan_edition(report, audience(choices, qualified=False), qualified=False) is None

    second = plan_edition(report, audience(choices, qualified=True), qualified=True)
    assert (second.number, second.audience) == (2, (Audience.DMP, Audience.PATIENT))
    # The DMP and the patient never had the first edition: there is nothing for them to replace.
    assert second.replaces_unique_id is None
    assert replaced_for(report, (Audience.PROFESSIONALS,)) == "1.2.3.1"

    report = composed(samples, report, edition(samples, 2, qualified=True, parties=second.audience))
    assert plan_edition(report, audience(choices, qualified=True), qualified=True) is None


@given(
    steps=st.lists(st.booleans(), max_size=6),
    choices=st.fixed_dictionaries(
        {name: st.booleans() for name in ("withheld_from_dmp", "withheld_from_patient", "announcement_needed")}
    ),
)
def test_nobody_is_served_twice_whatever_happens_to_the_identity(samples, steps, choices):
    report = samples.signed(**choices)
    for qualified in steps:
        wanted = audience(report.current.signature.choices, qualified=qualified)
        plan = plan_edition(report, wanted, qualified=qualified)
        if plan is not None:
            made = edition(samples, plan.number, qualified=qualified, parties=plan.audience)
            report = composed(samples, report, made)
    served = [party for one in report.editions for party in one.audience]
    assert len(served) == len(set(served))
    unqualified = [one for one in report.editions if not one.ins_qualified]
    assert all(set(one.audience) <= {Audience.PROFESSIONALS} for one in unqualified)


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("Dominique FICTIF-DURAND", "FICTIF-DURAND", "Dominique"),
        ("Dr Jean-Noël DE LA FONTAINE", "DE LA FONTAINE", "Jean-Noël"),
        ("Camille Exemple", "Exemple", "Camille"),
        ("EXEMPLE", "EXEMPLE", None),
    ],
)
def test_the_name_of_the_sign_on_gives_family_and_given_names(name, family, given):
    signatory = signatory_of("99700000019", name)
    assert (signatory.family_name, signatory.given_name) == (family, given)


@pytest.mark.parametrize(
    ("skills", "default", "specialty"),
    [
        (("SM28",), "G15_10/SM44", "G15_10/SM28"),
        (("SM74", "SM28"), "G15_10/SM44", "G15_10/SM74"),
        (("SM74", "SM28"), "G15_10/SM28", "G15_10/SM28"),  # what they do at this site, among what they are
        (("SCH55", "SM94"), "G15_10/SM44", "G15_10/SM94"),  # SCH55 is not in JDV_J01
        (("SCH55",), "G15_10/SM44", None),
        (("SM26",), "G15_10/SM44", None),  # a general practitioner is known to JDV_J01, and no radiologist
        ((), "G15_10/SM44", None),
    ],
)
def test_the_specialty_of_the_signatory_is_one_they_are_registered_for(skills, default, specialty):
    assert specialty_of(skills, usual=default) == specialty


@pytest.mark.parametrize(
    ("rpps", "name", "rule"),
    [(None, "A B", "rpps_missing_from_sign_on"), ("99700000019", "Dr", "name_missing_from_sign_on")],
)
def test_nobody_signs_without_rpps_and_name(rpps, name, rule):
    with pytest.raises(Forbidden, match=rule):
        signatory_of(rpps, name)
