"""What sites decide, who may do what, what a careful person would notice: rules without a database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_chassis.auth import Role
from navette_ins.adapters.cog import PlacesUnusable, any_place, load_places
from navette_ins.api import french
from navette_ins.api.worklists import STEPS
from navette_ins.domain.birth_dates import calendar_date, completed_date
from navette_ins.domain.cases import CASE_STEPS, Case, CaseDecision, CaseKind, CaseState
from navette_ins.domain.cautions import Caution, cautions, suspect_birth_name
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.facts import ProofSeen, Recovery
from navette_ins.domain.homonyms import DUPLICATE_FROM, HOMONYM_FROM, blocking_dates, likeness
from navette_ins.domain.identity import Identity
from navette_ins.domain.policy import Policy, load_policy
from navette_ins.domain.rights import RIGHTS, SUPERVISOR, Right
from navette_ins.domain.traits import Traits, check_traits
from navette_ins.domain.worklists import NextStep, step_to_qualify
from pydantic import ValidationError

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
NIR = "1.2.250.1.213.1.4.8"
MakeTraits = Callable[..., Traits]
MakeIdentity = Callable[..., Identity]


@pytest.mark.dsr("RIS.INS.05", "RIS.INS.06")
@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", [role.value for role in Role])
def test_the_table_of_rights_says_who_may_do_what(right: Right, role: str) -> None:
    desk = {"secretary", "technologist", "identity-supervisor"}
    expected = {
        Right.READ: desk | {"radiologist"},
        Right.EDIT: desk,
        Right.SEE_INS: desk | {"radiologist"},
        Right.CALL_INSI: desk,
        Right.QUALIFY: desk,
        Right.SUPERVISE: {"identity-supervisor"},
    }
    assert Policy().allows(right, frozenset({role}), "lilas") is (role in expected[right])


def test_the_roles_of_the_table_are_roles_of_the_platform() -> None:
    assert frozenset().union(*RIGHTS.values()) <= {role.value for role in Role}
    assert Role.IDENTITY_SUPERVISOR == SUPERVISOR
    assert Role.IDENTITY_SUPERVISOR.label == "Référent d’identitovigilance"


@pytest.mark.dsr("RIS.INS.05")
def test_a_site_may_narrow_or_widen_a_right_without_touching_another_site() -> None:
    said = {
        "default": {"rights": {"identity.qualify": ["secretary"]}},
        "sites": {"lilas": {"rights": {"ins.see": ["radiologist"], "identity.qualify": ["technologist"]}}},
    }
    policy = load_policy(json.dumps(said).encode())
    secretary, technologist = frozenset({"secretary"}), frozenset({"technologist"})
    assert not policy.allows(Right.SEE_INS, secretary, "lilas")
    assert policy.allows(Right.SEE_INS, secretary, "rives")
    assert policy.allows(Right.QUALIFY, technologist, "lilas")
    assert not policy.allows(Right.QUALIFY, technologist, "rives")
    assert policy.allows_somewhere(Right.QUALIFY, technologist)
    assert not policy.allows_somewhere(Right.SUPERVISE, technologist)


@pytest.mark.dsr("RIS.INS.19", "RIS.INS.21")
def test_a_site_has_its_own_documents_their_confidence_and_its_own_way_to_validate() -> None:
    line = {"code": "CS", "label": "Titre de séjour", "confidence": "low"}
    said = {"default": {"automatic_validation": False}, "sites": {"lilas": {"proofs": [line]}}}
    policy = load_policy(json.dumps(said).encode())
    assert {code: proof.high_trust for code, proof in policy.proofs("lilas").items()} == {"CS": False}
    assert policy.proofs("rives")["CS"].high_trust
    assert not policy.automatic_validation("lilas")
    assert Policy().automatic_validation("lilas")


@pytest.mark.parametrize(
    "said",
    [
        {"default": {"rights": {"identity.qualify": ["janitor"]}}},
        {"default": {"rights": {"identity.fly": ["secretary"]}}},
        {"default": {"proofs": [{"code": "cn", "label": "x", "confidence": "high"}]}},
        {"default": {"proofs": [{"code": "CN", "label": "x", "confidence": "sure"}]}},
        {"default": {"proofs": [{"code": "CN", "label": "x", "confidence": "low"}] * 2}},
        {"default": {"automatic": True}},
        {"site": {}},
    ],
)
def test_a_policy_that_says_something_else_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        load_policy(json.dumps(said).encode())


@pytest.mark.dsr("RIS.INS.01")
@pytest.mark.parametrize(
    ("on_document", "recorded"),
    [
        ("1992-05-00", "1992-05-01"),
        ("1992-00-17", "1992-01-17"),
        ("1992-00-00", "1992-12-31"),
        ("1961-20-00", "1961-12-31"),
        ("1961-13-05", "1961-01-05"),
        ("1961-04-35", "1961-04-01"),
        ("1961-02-30", "1961-02-01"),
        ("0000-05-12", None),
    ],
)
def test_a_date_the_document_does_not_know_is_completed_by_the_rule(on_document: str, recorded: str | None) -> None:
    assert completed_date(on_document) == recorded


@given(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 99))
def test_a_completed_date_is_always_one_of_the_calendar(year: int, month: int, day: int) -> None:
    text = f"{year:04d}-{month:02d}-{day:02d}"
    if calendar_date(text) is not None:
        with pytest.raises(RuleBroken, match="complete"):
            completed_date(text)
    else:
        completed = completed_date(text)
        assert completed is None or calendar_date(completed) is not None


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"birth_date_on_document": "1992-00-00"}, "birth_date_completed", "must_be_said"),
        ({"birth_date_on_document": "1992-00-00", "birth_date_completed": True}, "birth_date", "completion"),
        ({"birth_date_on_document": "1968-04-17"}, "birth_date_on_document", "complete"),
        ({"birth_date_on_document": "avril 1968"}, "birth_date_on_document", "format"),
    ],
)
def test_a_completed_date_says_so_and_follows_the_rule(
    changes: dict[str, Any], field: str, rule: str, traits: MakeTraits
) -> None:
    broken = check_traits(traits(**changes), today=TODAY)
    assert (field, rule) in [(one.field, one.rule) for one in broken]


def test_what_the_document_said_of_a_date_is_kept_beside_it(traits: MakeTraits) -> None:
    one = traits(birth_date="1992-12-31", birth_date_on_document="1992-00-00", birth_date_completed=True)
    assert check_traits(one, today=TODAY) == []
    estimated = traits(birth_date="1990-05-12", birth_date_on_document="0000-05-12", birth_date_completed=True)
    assert check_traits(estimated, today=TODAY) == []


@pytest.mark.parametrize(
    ("changes", "at_least", "below"),
    [
        ({}, 1.0, 1.01),
        (
            {"birth_name": "DUVAL FICTIF", "first_birth_given_name": "CAMILE", "birth_given_names": "CAMILE"},
            DUPLICATE_FROM,
            1.0,
        ),
        ({"birth_date": "1968-17-04"}, 0.0, 1.0),
        ({"first_birth_given_name": "CAMILLA", "birth_given_names": "CAMILLA", "birth_place_code": "99999"}, 0.90, 1.0),
        (
            {"birth_name": "DURAND-FICTIF", "first_birth_given_name": "CAROLE", "birth_given_names": "CAROLE"},
            HOMONYM_FROM,
            DUPLICATE_FROM,
        ),
        ({"birth_name": "ZYX", "first_birth_given_name": "OTTO", "birth_given_names": "OTTO"}, 0.0, HOMONYM_FROM),
        ({"birth_date": "1999-01-01"}, 0.0, HOMONYM_FROM),
    ],
)
def test_two_records_are_as_alike_as_a_person_would_say(
    changes: dict[str, Any], at_least: float, below: float, traits: MakeTraits
) -> None:
    score, _ = likeness(traits(), traits(**changes))
    assert at_least <= score < below


def test_a_used_name_that_is_the_birth_name_of_another_record_is_seen(traits: MakeTraits) -> None:
    score, crossed = likeness(traits(birth_name="EPOUX-FICTIF"), traits(used_name="EPOUX-FICTIF"))
    assert crossed
    assert score >= DUPLICATE_FROM


def test_records_are_compared_with_those_of_about_the_same_birth_date() -> None:
    assert blocking_dates("1968-04-07") == ("1968-04-07", "1968-07-04", "1967-04-07", "1969-04-07")
    assert blocking_dates("1968-02-29") == ("1968-02-29",)
    assert blocking_dates("1968-05-05") == ("1968-05-05", "1967-05-05", "1969-05-05")


@pytest.mark.parametrize(
    ("changes", "not_found", "suspect"),
    [
        ({"birth_name": "FICTIF NEE DUVAL"}, False, True),
        ({"birth_name": "FICTIF ÉPOUSE DUVAL", "sex": "M"}, False, True),
        ({"birth_name": "NEE"}, False, False),
        ({"used_name": "Duval Fictif"}, False, True),
        ({"used_name": "Duval Fictif", "sex": "M"}, False, False),
        ({"used_name": "EPOUX-FICTIF"}, True, False),
        ({}, True, True),
        ({}, False, False),
        ({"birth_date": "2015-01-01"}, True, False),
        ({"sex": "M"}, True, False),
    ],
)
def test_a_used_name_stored_as_birth_name_is_suspected(
    changes: dict[str, Any], not_found: bool, suspect: bool, traits: MakeTraits
) -> None:
    assert suspect_birth_name(traits(**changes), not_found=not_found, today=TODAY) is suspect


def recovery(matricule: str) -> Recovery:
    return Recovery(matricule=matricule, oid=NIR, search_id="s", at=NOW, accepted_by="u")


@pytest.mark.parametrize(
    ("changes", "facts", "expected"),
    [
        ({"birth_place_code": "2A020"}, {}, Caution.UNKNOWN_COG),
        ({"birth_place_code": "99999"}, {}, Caution.PLACE_UNKNOWN),
        ({"birth_date_completed": True}, {}, Caution.DATE_COMPLETED),
        ({"sex": "I"}, {}, Caution.SEX_UNDETERMINED),
        ({}, {"recovery": recovery("268043818590100")}, Caution.KEY_INVALID),
        ({"sex": "M"}, {"recovery": recovery("268043818590119")}, Caution.SEX_DIFFERS_FROM_NUMBER),
        ({"birth_date": "1968-05-17"}, {"recovery": recovery("268043818590119")}, Caution.DATE_DIFFERS_FROM_NUMBER),
        ({"birth_place_code": "38053"}, {"recovery": recovery("268043818590119")}, Caution.PLACE_DIFFERS_FROM_NUMBER),
        (
            {},
            {"proof": ProofSeen(document_kind="PC", high_trust=False, at=NOW, by="u")},
            Caution.PROOF_OF_LOW_TRUST,
        ),
        ({}, {"proof": ProofSeen(document_kind="CN", high_trust=True, at=NOW, by="u")}, Caution.TO_VALIDATE),
    ],
)
def test_what_a_careful_person_would_look_at_is_a_warning(
    changes: dict[str, Any],
    facts: dict[str, Any],
    expected: Caution,
    traits: MakeTraits,
    identity: MakeIdentity,
) -> None:
    one = identity(traits=traits(**changes), **facts)
    found = cautions(one, knows_place=frozenset({"38185", "38053"}).__contains__, not_found=False, today=TODAY)
    assert found == (expected,)


def test_every_warning_step_rule_and_refusal_has_a_french_sentence() -> None:
    assert set(french.CAUTIONS) == set(Caution)
    assert set(STEPS) == set(NextStep)
    assert all(sentence.endswith(".") for sentence in (*STEPS.values(), *french.CAUTIONS.values()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("communes.json", '[{"code": "38185", "nom": "GRENOBLE"}, {"code": "2A004"}]'),
        ("v_commune.csv", "TYPECOM,COM,LIBELLE\nCOM,38185,Grenoble\nCOM,2A004,Ajaccio\n"),
        ("pays.csv", "COG;LIBCOG\n38185;x\n2A004;y\n"),
    ],
)
def test_a_list_of_places_is_read_as_insee_and_etalab_publish_them(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    knows = load_places(tmp_path / name)
    assert knows("38185")
    assert knows("2A004")
    assert not knows("20004")


@pytest.mark.parametrize("content", ["", "[1, 2]", "[{}]", "[", "a,b\n1,2\n"])
def test_a_file_that_is_no_list_of_places_stops_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "places").write_text(content)
    with pytest.raises(PlacesUnusable):
        load_places(tmp_path / "places")
    assert any_place("00000")


def case(kind: CaseKind, state: CaseState = CaseState.OPEN) -> Case:
    return Case(
        case_id="c", kind=kind, state=state, patient_ids=("a", "b"), site_ids=("lilas",), reason="reported",
        opened_by="u", opened_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("kind", list(CaseKind))
@pytest.mark.parametrize("state", list(CaseState))
@pytest.mark.parametrize("decision", list(CaseDecision))
def test_a_case_moves_only_along_its_table(kind: CaseKind, state: CaseState, decision: CaseDecision) -> None:
    expected = CASE_STEPS.get((kind, state, decision))
    if expected is None:
        with pytest.raises(Forbidden, match="case_closed"):
            case(kind, state).decided(decision, by="s", at=NOW)
    else:
        decided = case(kind, state).decided(decision, by="s", at=NOW)
        assert (decided.state, decided.decided_by) == (expected, "s")


def test_a_case_carries_the_code_of_pam_france() -> None:
    codes = [case(CaseKind.DUPLICATE, state).pam_code for state in (CaseState.OPEN, CaseState.CONFIRMED)]
    assert codes == ["DPOT", "DOUA"]
    assert case(CaseKind.COLLISION).pam_code == "COLP"
    assert case(CaseKind.HOMONYM, CaseState.RESOLVED).pam_code == "HOMA"


def test_the_reception_is_told_what_each_identity_lacks(traits: MakeTraits, identity: MakeIdentity) -> None:
    one = identity()
    held = one.checked("CN", by="u", at=NOW)
    found = one.recovered(recovery("268043818590119"), one.traits, (), at=NOW)
    shown = one.next(NOW, proof=ProofSeen(document_kind="CN", high_trust=True, at=NOW, by="u"))
    completed = identity(traits=traits(birth_date_completed=True)).checked("CN", by="u", at=NOW)
    assert [step_to_qualify(two) for two in (one, held, found, shown, completed)] == [
        NextStep.HOLD_DOCUMENT_THEN_SEARCH,
        NextStep.SEARCH_INS,
        NextStep.HOLD_DOCUMENT,
        NextStep.VALIDATE,
        NextStep.NO_INS_POSSIBLE,
    ]
    assert step_to_qualify(found.checked("CN", by="u", at=NOW)) is None
    assert date.fromisoformat(one.traits.birth_date) < TODAY
