"""Who receives a report, and why somebody does not."""

from __future__ import annotations

import pytest
from navette_contracts.events import Audience, IdentityAttribute, IdentityStatus, WhoMustAct
from navette_report.domain.audience import audience, verdict
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.identity import PatientIdentity, is_newer

ALL = (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)


@pytest.mark.parametrize(
    ("choices", "qualified", "expected"),
    [
        ({}, True, ALL),
        ({}, False, (Audience.PROFESSIONALS,)),
        ({"announcement_needed": True}, True, (Audience.DMP, Audience.PROFESSIONALS)),
        ({"hidden_from_patient": True}, True, (Audience.DMP, Audience.PROFESSIONALS)),
        ({"hidden_from_representatives": True}, True, (Audience.DMP, Audience.PROFESSIONALS)),
        ({"hidden_from_professionals": True}, True, (Audience.DMP, Audience.PATIENT)),
        ({"hidden_from_professionals": True}, False, ()),
        ({"withheld_from_dmp": True}, True, (Audience.PROFESSIONALS, Audience.PATIENT)),
        ({"withheld_from_patient": True}, True, (Audience.DMP, Audience.PROFESSIONALS)),
        ({"withheld_from_dmp": True, "withheld_from_patient": True}, True, (Audience.PROFESSIONALS,)),
    ],
)
@pytest.mark.dsr("RIS.CRR.02")
def test_each_choice_decides_who_receives(choices, qualified, expected):
    assert audience(SignatureChoices(**choices), qualified=qualified) == expected


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize("party", [Audience.DMP, Audience.PATIENT])
def test_what_waits_for_a_qualified_identity_says_so_to_the_secretary(party):
    said = verdict(party, SignatureChoices(), qualified=False)
    assert (said.reason, said.who, said.final) == ("ins_not_qualified", WhoMustAct.SECRETARY, False)


def test_what_waits_for_the_announcement_says_so_to_the_radiologist():
    said = verdict(Audience.PATIENT, SignatureChoices(announcement_needed=True), qualified=True)
    assert (said.reason, said.who, said.final) == ("announcement_needed", WhoMustAct.RADIOLOGIST, False)


@pytest.mark.dsr("RIS.CRR.02")
def test_a_report_to_be_announced_is_invisible_to_the_patient_in_the_dmp():
    choices = SignatureChoices(announcement_needed=True)
    assert choices.visibility.hidden_from_patient
    assert not SignatureChoices().visibility.hidden_from_patient


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize("attribute", [IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE])
def test_a_doubtful_or_fictitious_identity_is_never_used_with_its_ins(samples, attribute):
    identity = samples.identity(attributes=(attribute,))
    assert not identity.qualified
    assert identity.for_documents().ins is None


@pytest.mark.parametrize("status", [s for s in IdentityStatus if s is not IdentityStatus.QUALIFIEE])
def test_no_other_status_lets_the_ins_through(samples, status):
    known = samples.identity()
    other = PatientIdentity("p", "site-nord", 1, status, (), known.traits, known.ins)
    assert other.for_documents().ins is None


def test_an_identity_never_shows_itself_in_a_log_line(samples):
    assert "EXEMPLE" not in repr(samples.identity())
    assert samples.identity().ins.matricule not in repr(samples.document())


def test_a_late_or_repeated_revision_changes_nothing():
    assert is_newer(None, 1)
    assert is_newer(1, 2)
    assert not is_newer(2, 2)
    assert not is_newer(3, 2)
