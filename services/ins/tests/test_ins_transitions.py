"""The table of transitions (spec/ins.md §5.5) and what it makes impossible, one line at a time and in any order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import IdentityAttribute, IdentityStatus
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.facts import FormerIns, Recovery, TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.merges import merge, unmerge
from navette_ins.domain.transitions import (
    TRANSITIONS,
    Act,
    Effect,
    ImpossibleTransition,
    Told,
    transition_of,
)
from pydantic import ValidationError

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NIR, NIA = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"
RECOVERY = Recovery(matricule="268043818590119", oid=NIR, search_id="s", at=NOW, accepted_by="insi-auto")
OTHER = RECOVERY.model_copy(update={"matricule": "168043818590155"})
OLD = FormerIns(matricule="168043818590155", oid=NIR)
CHECK = TrustCheck(document_kind="CN", at=NOW, by="user-1")
PROV, RECUP = IdentityStatus.PROVISOIRE, IdentityStatus.RECUPEREE
VALI, QUAL = IdentityStatus.VALIDEE, IdentityStatus.QUALIFIEE

Make = Callable[..., Identity]


def at_status(make: Make, status: IdentityStatus, **changes: Any) -> Identity:
    facts: dict[str, Any] = {}
    if status in (RECUP, QUAL):
        facts["recovery"] = RECOVERY
    if status in (VALI, QUAL):
        facts["check"] = CHECK
    return make(**(facts | changes))


def renamed(one: Identity, **changes: Any) -> Any:
    return one.traits.model_copy(update={"birth_name": "AUTRE-FICTIF"} | changes)


@pytest.mark.dsr("RIS.INS.26")
def test_every_line_of_the_table_is_said_once() -> None:
    keys = [(line.act, line.before, line.after) for line in TRANSITIONS]
    assert len(keys) == len(set(keys))
    assert {line.act for line in TRANSITIONS} == set(Act)


def test_every_loss_of_a_qualified_status_is_told_as_a_removal_of_the_ins() -> None:
    losses = [line for line in TRANSITIONS if line.before is QUAL and line.after is not QUAL]
    assert {line.told for line in losses} == {Told.A47}


def test_a_matricule_that_never_left_is_not_told_in_a_removal() -> None:
    assert not [line for line in TRANSITIONS if line.told is Told.A47 and line.before is not QUAL]


SPEC_5_5 = [
    (Act.INS_ACCEPTED, PROV, lambda i: i.recovered(RECOVERY, i.traits, (), at=NOW), RECUP),
    (Act.INS_ACCEPTED, VALI, lambda i: i.recovered(RECOVERY, i.traits, (), at=NOW), QUAL),
    (Act.CHECKED, PROV, lambda i: i.checked("CN", by="u", at=NOW), VALI),
    (Act.CHECKED, RECUP, lambda i: i.checked("CN", by="u", at=NOW), QUAL),
    *[
        (Act.APP_VITALE, one, lambda i: i.identified_by_app(RECOVERY, i.traits, (), by="u", at=NOW), QUAL)
        for one in (PROV, RECUP, VALI, QUAL)
    ],
    (Act.CHECK_WITHDRAWN, QUAL, lambda i: i.check_withdrawn(at=NOW), RECUP),
    (Act.CHECK_WITHDRAWN, VALI, lambda i: i.check_withdrawn(at=NOW), PROV),
    (Act.INS_OF_ANOTHER_PERSON, QUAL, lambda i: i.without_ins(at=NOW), VALI),
    (Act.INS_OF_ANOTHER_PERSON, RECUP, lambda i: i.without_ins(at=NOW), PROV),
    (Act.STRICT_TRAITS_EDITED, QUAL, lambda i: i.edited(renamed(i), check_holds=True, at=NOW), VALI),
    (Act.STRICT_TRAITS_EDITED, QUAL, lambda i: i.edited(renamed(i), check_holds=False, at=NOW), PROV),
    (Act.STRICT_TRAITS_EDITED, RECUP, lambda i: i.edited(renamed(i), check_holds=True, at=NOW), PROV),
    *[
        (
            Act.BIRTH_DATE_COMPLETED,
            before,
            lambda i: i.edited(renamed(i, birth_date_completed=True), check_holds=True, at=NOW),
            after,
        )
        for before, after in ((PROV, PROV), (RECUP, PROV), (VALI, VALI), (QUAL, VALI))
    ],
    *[
        (Act.MARKED_UNTRUSTED, before, lambda i: i.marked(IdentityAttribute.DOUTEUSE, at=NOW), PROV)
        for before in (PROV, RECUP, VALI, QUAL)
    ],
    *[
        (Act.MARKED_UNTRUSTED, before, lambda i: i.marked(IdentityAttribute.FICTIVE, at=NOW), PROV)
        for before in (PROV, RECUP, VALI, QUAL)
    ],
    (Act.VERIFICATION_KO, QUAL, lambda i: i.without_ins(at=NOW), VALI),
    (Act.VERIFICATION_KO, RECUP, lambda i: i.without_ins(at=NOW), PROV),
    (Act.TRAITS_RENEWED, QUAL, lambda i: i.recovered_again(RECOVERY, renamed(i), (), at=NOW, renewed=CHECK), QUAL),
    (Act.TRAITS_RENEWED, QUAL, lambda i: i.recovered_again(RECOVERY, renamed(i), (), at=NOW), RECUP),
    (Act.RENUMBERED, QUAL, lambda i: i.recovered_again(OTHER, renamed(i, sex="M"), (), at=NOW), QUAL),
    (Act.RENUMBERED, RECUP, lambda i: i.recovered_again(OTHER, i.traits, (), at=NOW), RECUP),
]


@pytest.mark.dsr("RIS.INS.22", "RIS.INS.23", "RIS.INS.24", "RIS.INS.25", "RIS.INS.27", "RIS.INS.33", "RIS.INS.35")
@pytest.mark.parametrize(("act", "before", "do", "after"), SPEC_5_5)
def test_the_line_of_the_specification_leads_where_it_says(
    act: Act, before: IdentityStatus, do: Callable[[Identity], Identity], after: IdentityStatus, identity: Make
) -> None:
    one = at_status(identity, before)
    result = do(one)
    assert (one.status, result.status) == (before, after)
    line = transition_of(act, one, result)
    if Effect.INS_REMOVED in line.effects:
        assert (result.recovery, result.former_ins) == (None, ())


@pytest.mark.parametrize("status", [PROV, RECUP, VALI, QUAL])
def test_a_document_that_expires_changes_nothing_because_the_check_was_made_while_it_was_valid(
    status: IdentityStatus, identity: Make
) -> None:
    check = CHECK.model_copy(update={"document_expires_on": "2020-01-01"})
    one = at_status(identity, status)
    if one.check is not None:
        assert one.next(NOW, check=check).status is status


def test_a_change_the_table_does_not_know_is_an_error_of_the_program(identity: Make) -> None:
    qualified = at_status(identity, QUAL)
    with pytest.raises(ImpossibleTransition):
        transition_of(Act.COMPLEMENTARY_EDITED, qualified, qualified.next(NOW, recovery=None))
    with pytest.raises(ImpossibleTransition):
        transition_of(Act.CREATED, None, qualified)
    with pytest.raises(ImpossibleTransition):
        transition_of(Act.MARKED_HOMONYM, at_status(identity, RECUP), at_status(identity, VALI))


@pytest.mark.parametrize(
    "forbidden",
    [
        {"recovery": RECOVERY, "attributes": frozenset({IdentityAttribute.DOUTEUSE})},
        {"recovery": RECOVERY, "attributes": frozenset({IdentityAttribute.FICTIVE})},
        {"recovery": RECOVERY, "check": CHECK, "attributes": frozenset({IdentityAttribute.DOUTEUSE})},
        {"check": CHECK, "attributes": frozenset({IdentityAttribute.FICTIVE})},
        {"attributes": frozenset({IdentityAttribute.FICTIVE, IdentityAttribute.DOUTEUSE})},
        {"attributes": frozenset({IdentityAttribute.FICTIVE, IdentityAttribute.HOMONYME})},
        {"recovery": RECOVERY.model_copy(update={"oid": ""})},
        {"recovery": RECOVERY.model_copy(update={"matricule": ""}), "check": CHECK},
        {"former_ins": (OLD,)},
        {"recovery": RECOVERY, "merged_into": "p-2"},
    ],
)
def test_what_is_forbidden_cannot_be_built(forbidden: dict[str, Any], identity: Make) -> None:
    with pytest.raises(ValidationError):
        identity(**forbidden)


def test_a_recovery_needs_both_matricule_and_oid_and_a_completed_date_none(identity: Make, traits: Any) -> None:
    with pytest.raises(ValidationError):
        Recovery.model_validate({"matricule": "268043818590119", "search_id": "s", "at": NOW, "accepted_by": "u"})
    with pytest.raises(ValidationError):
        identity(traits=traits(birth_date_completed=True), recovery=RECOVERY, check=CHECK)


ACTS: dict[str, tuple[Act, Callable[[Identity], Identity]]] = {
    "accept": (Act.INS_ACCEPTED, lambda i: i.recovered(RECOVERY, i.traits, (OLD,), at=NOW)),
    "check": (Act.CHECKED, lambda i: i.checked("PA", by="u", at=NOW)),
    "app": (Act.APP_VITALE, lambda i: i.identified_by_app(RECOVERY, i.traits, (), by="u", at=NOW)),
    "withdraw": (Act.CHECK_WITHDRAWN, lambda i: i.check_withdrawn(at=NOW)),
    "wrong": (Act.INS_OF_ANOTHER_PERSON, lambda i: i.without_ins(at=NOW)),
    "ko": (Act.VERIFICATION_KO, lambda i: i.without_ins(at=NOW)),
    "rename": (Act.STRICT_TRAITS_EDITED, lambda i: i.edited(renamed(i), check_holds=True, at=NOW)),
    "rename back": (
        Act.STRICT_TRAITS_EDITED,
        lambda i: i.edited(renamed(i, birth_name="DUVAL-FICTIF"), check_holds=False, at=NOW),
    ),
    "complete": (
        Act.BIRTH_DATE_COMPLETED,
        lambda i: i.edited(renamed(i, birth_date_completed=True), check_holds=True, at=NOW),
    ),
    "use name": (
        Act.COMPLEMENTARY_EDITED,
        lambda i: i.edited(i.traits.model_copy(update={"used_name": "USAGE-FICTIF"}), check_holds=True, at=NOW),
    ),
    "doubt": (Act.MARKED_UNTRUSTED, lambda i: i.marked(IdentityAttribute.DOUTEUSE, at=NOW)),
    "fictive": (Act.MARKED_UNTRUSTED, lambda i: i.marked(IdentityAttribute.FICTIVE, at=NOW)),
    "homonym": (Act.MARKED_HOMONYM, lambda i: i.marked(IdentityAttribute.HOMONYME, at=NOW)),
    "undoubt": (Act.UNMARKED, lambda i: i.unmarked(IdentityAttribute.DOUTEUSE, at=NOW)),
    "unfictive": (Act.UNMARKED, lambda i: i.unmarked(IdentityAttribute.FICTIVE, at=NOW)),
    "renumber": (Act.RENUMBERED, lambda i: i.recovered_again(OTHER, i.traits, (), at=NOW)),
}


@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=25))
def test_no_sequence_of_acts_reaches_what_is_forbidden_or_leaves_the_table(acts: list[str], identity: Make) -> None:
    one = identity()
    for name in acts:
        act, do = ACTS[name]
        try:
            following = do(one)
        except Forbidden:
            continue
        transition_of(act, one, following)
        assert following.revision == one.revision + 1
        one = following
        untrusted = one.attributes & {IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE}
        assert not (untrusted and one.status is not PROV)
        assert not (one.traits.birth_date_completed and one.status in (RECUP, QUAL))
        assert one.status is not QUAL or (one.recovery and one.recovery.matricule and one.recovery.oid)
        assert one.recovery is not None or one.former_ins == ()
        assert IdentityAttribute.FICTIVE not in one.attributes or len(one.attributes) == 1


@given(
    survivor=st.sampled_from([PROV, RECUP, VALI, QUAL]),
    absorbed=st.sampled_from([PROV, RECUP, VALI, QUAL]),
    same_person=st.booleans(),
    doubtful=st.booleans(),
    afterwards=st.lists(st.sampled_from(["check", "withdraw", "use name", "homonym", "doubt"]), max_size=3),
)
def test_a_merge_follows_the_table_and_its_undoing_gives_both_records_back(
    survivor: IdentityStatus,
    absorbed: IdentityStatus,
    same_person: bool,
    doubtful: bool,
    afterwards: list[str],
    identity: Make,
) -> None:
    kept = at_status(identity, survivor)
    gone = at_status(identity, absorbed, patient_id="p-2", revision=7)
    if gone.recovery is not None and kept.recovery is not None:
        gone = gone.next(NOW, recovery=OTHER)
        kept = kept.next(NOW, former_ins=(OLD,))
    if not same_person:
        gone = gone.next(NOW, traits=renamed(gone))
    if doubtful:
        kept = kept.marked(IdentityAttribute.DOUTEUSE, at=NOW)
    merged, closed = merge(kept, gone, at=NOW)
    transition_of(Act.MERGED, kept, merged)
    transition_of(Act.ABSORBED, gone, closed)
    assert (closed.status, closed.merged_into) == (PROV, kept.patient_id)
    assert merged.traits == kept.traits
    now = merged
    for name in afterwards:
        _, do = ACTS[name]
        try:
            now = do(now)
        except Forbidden:
            continue
    first, second = unmerge(
        now, closed, survivor_before=kept, absorbed_before=gone, merged_revision=merged.revision, at=NOW
    )
    transition_of(Act.UNMERGED, now, first)
    transition_of(Act.RESTORED, closed, second)
    content = {"traits", "attributes", "recovery", "check", "former_ins", "merged_into"}
    assert second.model_dump(include=content) == gone.model_dump(include=content)
    if now is merged:
        assert first.model_dump(include=content) == kept.model_dump(include=content)
    if first.recovery is not None:
        assert gone.recovery is None or first.recovery.ins != gone.recovery.ins


def test_records_that_insi_knows_as_two_people_are_not_merged(identity: Make) -> None:
    one, other = at_status(identity, QUAL), at_status(identity, QUAL, patient_id="p-2", recovery=OTHER)
    with pytest.raises(Forbidden, match="two_different_ins"):
        merge(one, other, at=NOW)
    merged, _ = merge(one.next(NOW, former_ins=(OLD,)), other, at=NOW)
    assert merged.former_ins == (OLD,)


def test_fictive_closed_and_identical_records_are_not_merged(identity: Make) -> None:
    one, other = identity(), identity(patient_id="p-2")
    with pytest.raises(Forbidden, match="fictive"):
        merge(one, other.marked(IdentityAttribute.FICTIVE, at=NOW), at=NOW)
    with pytest.raises(Forbidden, match="same_record"):
        merge(one, one, at=NOW)
    _, closed = merge(one, other, at=NOW)
    with pytest.raises(Forbidden, match="merged"):
        merge(one, closed, at=NOW)
    with pytest.raises(Forbidden, match="not_merged"):
        unmerge(one, other, survivor_before=one, absorbed_before=other, merged_revision=2, at=NOW)


def test_a_number_replaced_by_another_goes_before_the_older_ones(identity: Make) -> None:
    one = at_status(identity, QUAL)
    changed = one.recovered_again(OTHER, one.traits, (), at=NOW)
    assert changed.recovery is not None
    assert changed.recovery.matricule == OTHER.matricule
    assert changed.former_ins == (RECOVERY.ins,)
    nir = RECOVERY.model_copy(update={"oid": NIA})
    replaced = at_status(identity, QUAL, recovery=nir).recovered_again(RECOVERY, one.traits, (), at=NOW)
    assert transition_of(Act.NIA_REPLACED, at_status(identity, QUAL), replaced).told is Told.A31
