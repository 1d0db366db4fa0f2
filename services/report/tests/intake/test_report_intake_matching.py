"""Is this the patient? Explicit rules, and never a "probably"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from navette_report.domain.intake.claims import PatientClaim, Unfit
from navette_report.domain.intake.matching import match_patient
from navette_report.domain.intake.reasons import REASONS, reason_label, who_must_act

CLAIM = PatientClaim(
    local_id="IPP000123",
    matricule="",
    ins_oid="",
    birth_name="EXEMPLE",
    given_name="ALIX",
    given_names="",
    birth_date="1984-05-12",
    sex="F",
    birth_place_code="38185",
)


def matched(claim: PatientClaim, by_local_id: list[Any], by_ins: list[Any], *, site_id: str = "site-nord") -> Any:
    return match_patient(claim, by_local_id, by_ins, site_id=site_id)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"birth_name": "Éxemple"},
        {"given_name": "Alix Marie-Lou"},
        {"given_name": "", "given_names": "ALIX MARIE LOU"},
        {"sex": ""},
        {"birth_place_code": ""},
        {"birth_place_code": "99999"},
    ],
)
def test_a_number_and_agreeing_traits_are_the_patient(samples: Any, change: dict[str, str]) -> None:
    known = samples.identity()
    assert matched(replace(CLAIM, **change), [known], []) is known


def test_hyphens_apostrophes_and_ligatures_are_written_differently_and_mean_the_same(samples: Any) -> None:
    known = samples.identity(birth_name="D’ŒUVRE-FICTIF")
    assert matched(replace(CLAIM, birth_name="D OEUVRE FICTIF"), [known], []) is known


@pytest.mark.parametrize(
    ("change", "reason", "remark"),
    [
        ({"birth_name": "MODELE"}, "traits_differ", "birth_name"),
        ({"given_name": "MARIE-LOU"}, "traits_differ", "given_name"),
        ({"birth_date": "1984-05-13"}, "traits_differ", "birth_date"),
        ({"sex": "M"}, "traits_differ", "sex"),
        ({"birth_place_code": "75056"}, "traits_differ", "birth_place_code"),
        ({"birth_name": ""}, "traits_missing", None),
        ({"given_name": ""}, "traits_missing", None),
        ({"birth_date": ""}, "traits_missing", None),
        ({"local_id": ""}, "no_usable_identifier", None),
    ],
)
def test_anything_that_does_not_agree_waits_for_a_person(
    samples: Any, change: dict[str, str], reason: str, remark: str | None
) -> None:
    with pytest.raises(Unfit) as refused:
        matched(replace(CLAIM, **change), [samples.identity()], [])
    assert refused.value.reason == reason
    assert refused.value.remarks == ((remark,) if remark else ())


def test_nobody_or_several_people_behind_a_number(samples: Any) -> None:
    one, other = samples.identity(), replace(samples.identity(), patient_id="patient-2")
    with pytest.raises(Unfit, match="patient_unknown"):
        matched(CLAIM, [], [])
    with pytest.raises(Unfit, match="patient_ambiguous"):
        matched(CLAIM, [one, other], [])


def test_two_numbers_must_name_the_same_person(samples: Any) -> None:
    one, other = samples.identity(), replace(samples.identity(), patient_id="patient-2")
    claim = replace(CLAIM, matricule=one.ins.matricule, ins_oid=one.ins.oid)
    assert matched(claim, [one], [one]) is one
    with pytest.raises(Unfit, match="identifiers_disagree"):
        matched(claim, [one], [other])


def test_the_ins_alone_is_enough_unless_the_site_knows_the_person_by_another_number(samples: Any) -> None:
    known = samples.identity()
    claim = replace(CLAIM, local_id="", matricule=known.ins.matricule, ins_oid=known.ins.oid)
    assert matched(claim, [], [known]) is known
    other_number = replace(claim, local_id="IPP999")
    with pytest.raises(Unfit, match="local_id_differs"):
        matched(other_number, [], [known])
    assert matched(other_number, [], [known], site_id="site-sud") is known


def test_another_ins_than_the_one_on_record_is_another_person(samples: Any) -> None:
    claim = replace(CLAIM, matricule="279035121518989", ins_oid="1.2.250.1.213.1.4.10")
    with pytest.raises(Unfit, match="ins_differs"):
        matched(claim, [samples.identity()], [])
    provisional = samples.identity(qualified=False)
    assert matched(claim, [provisional], []) is provisional


def test_every_reason_is_explained_in_french_and_names_who_must_act() -> None:
    for code in REASONS:
        assert reason_label(code).endswith("."), code
        assert who_must_act(code).value != "nobody", code
    assert len({reason_label(code) for code in REASONS}) == len(REASONS), "no two share a sentence"
    assert reason_label("a rule of tomorrow").endswith(".")
    assert who_must_act("a rule of tomorrow").value == "operator"
