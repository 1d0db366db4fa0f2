"""Batches, verdicts and masked numbers: the rules of verification (spec/ins.md §2.8, §2.9, §2.10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_ins.adapters.verifier import NotConfigured, VerificationNotConfigured
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity, Recovery
from navette_ins.domain.matricule_display import masked
from navette_ins.domain.traits import Traits
from navette_ins.domain.verification import (
    ALARM_BEFORE,
    STEPS,
    Batch,
    BatchState,
    ImpossibleStep,
    Line,
    content_of,
    key_of,
    poll_delay,
    subject_of,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
RECOVERY = Recovery(
    matricule="268043818590119", oid="1.2.250.1.213.1.4.8", search_id="s", at=NOW, accepted_by="insi-auto"
)


def batch(state: BatchState = BatchState.PREPARED) -> Batch:
    return Batch(batch_id="b", key="k", sent=1, prepared_at=NOW, state=state)


def test_a_batch_goes_from_prepared_to_applied_and_no_other_way() -> None:
    one = batch()
    for state in (
        *(BatchState(name) for name in ("deposited", "pending", "pending", "ready", "withdrawn", "applied")),
    ):
        one = one.moved(state)
    assert one.state.ended


@pytest.mark.parametrize("before", list(BatchState))
@pytest.mark.parametrize("after", list(BatchState))
def test_a_step_that_is_not_in_the_table_is_impossible(before: BatchState, after: BatchState) -> None:
    if after in STEPS[before]:
        assert batch(before).moved(after).state is after
    else:
        with pytest.raises(ImpossibleStep):
            batch(before).moved(after)


def test_nothing_happens_to_a_batch_that_ended() -> None:
    assert [state for state in BatchState if not STEPS[state]] == [state for state in BatchState if state.ended]


def test_a_lot_is_looked_at_after_minutes_then_every_hour() -> None:
    delays = [poll_delay(polls) for polls in range(8)]
    assert delays[0] == timedelta(minutes=2)
    assert delays == sorted(delays)
    assert delays[-1] == timedelta(hours=1)
    assert poll_delay(10_000) == timedelta(hours=1)


def test_a_result_about_to_be_lost_is_told_once() -> None:
    waiting = batch().moved(BatchState.DEPOSITED, expires_at=NOW + timedelta(days=7))
    assert not waiting.expires_soon(NOW)
    late = NOW + timedelta(days=7) - ALARM_BEFORE
    assert waiting.expires_soon(late)
    assert not waiting.model_copy(update={"alarmed_at": late}).expires_soon(late)


def test_the_key_of_a_batch_is_that_of_its_content(identity: Callable[..., Identity]) -> None:
    subject = subject_of(identity(recovery=RECOVERY))
    lines = [Line("1", subject)]
    assert key_of(lines) == key_of([Line("1", subject)])
    assert key_of(lines) != key_of([Line("2", subject)])
    assert json.loads(content_of(lines))[0]["subject"]["birth_name"] == "DUVAL-FICTIF"
    assert "DUVAL" not in repr(lines)


def test_what_is_verified_is_the_number_with_its_key_and_the_traits_on_the_wire(
    identity: Callable[..., Identity], traits: Callable[..., Traits]
) -> None:
    one = identity(recovery=RECOVERY, traits=traits(birth_name="Duval-Fictif"))
    subject = subject_of(one)
    assert (subject.number, subject.key, subject.birth_name) == ("2680438185901", "19", "DUVAL-FICTIF")
    with pytest.raises(Forbidden, match="no_ins"):
        subject_of(identity())
    with pytest.raises(RuleBroken):
        subject_of(identity(recovery=RECOVERY, traits=traits(birth_name="Петров")))


async def test_an_installation_without_verification_says_so_for_every_call(identity: Callable[..., Identity]) -> None:
    none = NotConfigured()
    assert not none.unit_possible
    assert not none.batches_possible
    subject = subject_of(identity(recovery=RECOVERY))
    for call in (none.verify(subject), none.deposit("k", [Line("1", subject)]), none.state("l"), none.withdraw("l")):
        with pytest.raises(VerificationNotConfigured):
            await call


def test_a_masked_matricule_shows_sex_year_and_month() -> None:
    assert masked("275126322074974") == "2 75 12 ** *** *** **"


@given(st.from_regex(r"[12][0-9]{14}", fullmatch=True))
def test_a_masked_matricule_never_shows_the_rest(matricule: str) -> None:
    shown = masked(matricule)
    assert shown.replace(" ", "") == matricule[:5] + "*" * 10


@pytest.mark.parametrize("odd", ["", "2751263220749", "27512632207497400"])
def test_a_number_of_another_length_shows_nothing(odd: str) -> None:
    assert set(masked(odd)) == {"*", " "}
