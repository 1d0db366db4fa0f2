"""The status follows from two facts; what RNIV forbids cannot be built (spec/ins.md §5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import IdentityAttribute, IdentityStatus
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity, Recovery
from navette_ins.domain.traits import Traits, check_traits
from pydantic import ValidationError

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
RECOVERY = Recovery(
    matricule="268043818590119", oid="1.2.250.1.213.1.4.8", search_id="s", at=NOW, accepted_by="insi-auto"
)


def recovered(one: Identity) -> Identity:
    return one.recovered(RECOVERY, one.traits, (), at=NOW)


def checked(one: Identity) -> Identity:
    return one.checked("CN", by="user-1", at=NOW)


@pytest.mark.dsr("RIS.INS.22", "RIS.INS.23", "RIS.INS.24", "RIS.INS.25")
def test_the_four_statuses_are_computed_from_recovery_and_check(identity: Callable[..., Identity]) -> None:
    one = identity()
    assert one.status is IdentityStatus.PROVISOIRE
    assert recovered(one).status is IdentityStatus.RECUPEREE
    assert checked(one).status is IdentityStatus.VALIDEE
    assert checked(recovered(one)).status is recovered(checked(one)).status is IdentityStatus.QUALIFIEE


@pytest.mark.dsr("RIS.INS.27")
@pytest.mark.parametrize("attribute", [IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE])
def test_a_doubt_takes_the_status_and_the_matricule_away(
    attribute: IdentityAttribute, identity: Callable[..., Identity]
) -> None:
    doubtful = recovered(checked(identity())).marked(attribute, at=NOW)
    assert doubtful.status is IdentityStatus.PROVISOIRE
    assert doubtful.recovery is None
    assert doubtful.unmarked(attribute, at=NOW).status is IdentityStatus.PROVISOIRE


@pytest.mark.dsr("RIS.INS.28")
@pytest.mark.parametrize("attribute", [IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE])
def test_a_doubtful_identity_is_neither_searched_nor_checked(
    attribute: IdentityAttribute, identity: Callable[..., Identity]
) -> None:
    doubtful = identity().marked(attribute, at=NOW)
    with pytest.raises(Forbidden, match="doubtful"):
        doubtful.searchable()
    with pytest.raises(Forbidden, match="doubtful"):
        checked(doubtful)


def test_a_fictive_identity_has_no_other_attribute_and_a_doubtful_one_may_be_a_homonym(
    identity: Callable[..., Identity],
) -> None:
    fictive = identity().marked(IdentityAttribute.FICTIVE, at=NOW)
    with pytest.raises(Forbidden, match="fictive"):
        fictive.marked(IdentityAttribute.HOMONYME, at=NOW)
    doubtful = identity().marked(IdentityAttribute.DOUTEUSE, at=NOW).marked(IdentityAttribute.HOMONYME, at=NOW)
    assert len(doubtful.attributes) == 2


def test_a_completed_birth_date_never_gets_a_matricule(
    traits: Callable[..., Traits], identity: Callable[..., Identity]
) -> None:
    one = identity(traits=traits(birth_date_completed=True))
    with pytest.raises(Forbidden, match="birth_date_completed"):
        recovered(one)
    with pytest.raises(ValidationError):
        identity(traits=traits(birth_date_completed=True), recovery=RECOVERY)


@pytest.mark.dsr("RIS.INS.18", "RIS.INS.19")
@pytest.mark.parametrize(("kind", "rule"), [("PC", "not_high_trust"), ("ZZ", "unknown_document")])
def test_a_document_that_proves_nothing_is_refused(kind: str, rule: str, identity: Callable[..., Identity]) -> None:
    with pytest.raises(RuleBroken, match=rule):
        identity().checked(kind, by="user-1", at=NOW)


@given(acts=st.lists(st.sampled_from(["recover", "check", "doubt", "fictive", "homonym", "undoubt"]), max_size=12))
def test_no_sequence_of_acts_reaches_a_forbidden_state(acts: list[str], identity: Callable[..., Identity]) -> None:
    one = identity()
    for act in acts:
        try:
            match act:
                case "recover":
                    one = recovered(one)
                case "check":
                    one = checked(one)
                case "doubt":
                    one = one.marked(IdentityAttribute.DOUTEUSE, at=NOW)
                case "fictive":
                    one = one.marked(IdentityAttribute.FICTIVE, at=NOW)
                case "homonym":
                    one = one.marked(IdentityAttribute.HOMONYME, at=NOW)
                case _:
                    one = one.unmarked(IdentityAttribute.DOUTEUSE, at=NOW)
        except Forbidden:
            continue
    untrusted = one.attributes & {IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE}
    assert not untrusted or one.status is IdentityStatus.PROVISOIRE
    assert (one.status is IdentityStatus.QUALIFIEE) == (one.recovery is not None and one.check is not None)
    assert IdentityAttribute.FICTIVE not in one.attributes or len(one.attributes) == 1


@pytest.mark.dsr("RIS.INS.01", "RIS.INS.11")
@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("birth_name", "  ", "empty"),
        ("birth_name", "DURAND2", "character"),
        ("birth_name", "D" * 101, "too_long"),
        ("birth_name", "<script>", "character"),
        ("birth_name", "--", "character"),
        ("used_name", "DUPONT(M)", "character"),
        ("first_birth_given_name", "ROSE", "not_first_of_list"),
        ("birth_date", "1968-02-30", "impossible"),
        ("birth_date", "1968-13-01", "impossible"),
        ("birth_date", "17/04/1968", "format"),
        ("birth_date", "2026-11-23", "future"),
        ("birth_date", "1799-01-01", "too_old"),
        ("birth_place_code", "3818", "cog"),
        ("birth_place_code", "2C004", "cog"),
        ("local_id", "a b", "format"),
    ],
)
def test_a_trait_that_breaks_a_rule_is_named_without_its_value(
    field: str, value: str, rule: str, traits: Callable[..., Traits]
) -> None:
    broken = check_traits(traits(**{field: value}), today=TODAY)
    assert (field, rule) in [(one.field, one.rule) for one in broken]
    assert all(value.strip() not in str(one) for one in broken if value.strip("- "))


@pytest.mark.dsr("RIS.INS.01")
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("L'Été-Durand", "Zoé"),
        ("N\u2019Guyen", "Anne-Laure"),
        ("D" * 100, "É" * 100),
        ("LAMBERT--FICTIF", "Jean Christophe"),
    ],
)
def test_names_are_kept_as_on_the_document(name: str, given: str, traits: Callable[..., Traits]) -> None:
    one = traits(birth_name=name, first_birth_given_name=given, birth_given_names=f"{given} Rose")
    assert check_traits(one, today=TODAY) == []
    assert (one.birth_name, one.first_birth_given_name) == (name, given)


@pytest.mark.parametrize("code", ["99350", "2A004", "2B033", "97411", "99999"])
def test_births_in_corsica_overseas_abroad_and_unknown_places_are_accepted(
    code: str, traits: Callable[..., Traits]
) -> None:
    assert check_traits(traits(birth_place_code=code), today=TODAY) == []


def test_nothing_shows_an_identity_by_accident(identity: Callable[..., Identity]) -> None:
    one = recovered(identity())
    shown = repr(one) + str(one) + repr(one.traits) + f"{one.recovery}"
    assert "DUVAL" not in shown
    assert "26804" not in shown
