"""Whose file a received document may go to."""

from __future__ import annotations

from typing import Any

import pytest
from navette_contracts.events import IdentityAttribute, Ins
from navette_report.adapters.workshop import Workshop
from navette_report.domain.received.filing import why_not
from navette_report.domain.received.model import Summary, read_document, summary_of


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(notice="Mention d'information.", production=False)


@pytest.fixture(scope="module")
def summary(samples: Any, workshop: Any) -> Summary:
    return summary_of(read_document(workshop.make(samples.document()).cda))


def changed(summary: Summary, **changes: str) -> Summary:
    return summary.model_copy(update=changes)


@pytest.mark.dsr("MSS/UX.07")
def test_a_document_files_itself_when_ins_and_all_strict_traits_are_those_of_a_qualified_identity(
    samples: Any, summary: Summary
) -> None:
    assert why_not(summary, samples.identity(), by_person=False) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"matricule": "", "ins_oid": ""}, "ins_missing"),
        ({"matricule": "279035121518989"}, "ins_differs"),
        ({"ins_oid": "1.2.250.1.213.1.4.9"}, "ins_differs"),
        ({"birth_name": "AUTRE"}, "traits_differ"),
        ({"first_birth_given_name": "AUTRE"}, "traits_differ"),
        ({"birth_date": "1984-05-13"}, "traits_differ"),
        ({"sex": "M"}, "traits_differ"),
        ({"birth_place_code": "75056"}, "traits_differ"),
        ({"birth_place_code": "99999"}, "traits_differ"),
        ({"birth_place_code": ""}, "traits_missing"),
        ({"first_birth_given_name": ""}, "traits_missing"),
        ({"sex": ""}, "traits_missing"),
        ({"birth_date": ""}, "traits_missing"),
    ],
)
@pytest.mark.dsr("MSS/UX.07", "RIS.INS.47")
def test_one_difference_and_a_person_must_look(
    samples: Any, summary: Summary, changes: dict[str, str], reason: str
) -> None:
    assert why_not(changed(summary, **changes), samples.identity(), by_person=False) == reason


@pytest.mark.dsr("RIS.INS.46")
def test_an_identity_that_is_not_qualified_here_has_no_ins_to_compare(samples: Any, summary: Summary) -> None:
    for identity in (samples.identity(qualified=False), samples.identity(attributes=(IdentityAttribute.DOUTEUSE,))):
        assert why_not(summary, identity, by_person=False) == "identity_not_qualified"
        assert why_not(summary, identity, by_person=True) == "identity_not_qualified"


def test_a_person_files_what_has_no_ins_but_never_what_says_it_is_of_somebody_else(
    samples: Any, summary: Summary
) -> None:
    bare = changed(summary, matricule="", ins_oid="", birth_place_code="", sex="")
    assert why_not(bare, samples.identity(qualified=False), by_person=True) is None
    assert why_not(bare, samples.identity(), by_person=True) is None
    assert why_not(changed(bare, birth_name="AUTRE"), samples.identity(), by_person=True) == "traits_differ"
    assert why_not(changed(bare, birth_date=""), samples.identity(), by_person=True) == "traits_missing"
    twin = samples.identity(ins=Ins(matricule="279035121518989", oid="1.2.250.1.213.1.4.8"))
    assert why_not(summary, twin, by_person=True) == "ins_differs"
    assert why_not(summary, None, by_person=True) == "patient_unknown"
