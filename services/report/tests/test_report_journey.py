"""A journey line only moves forward, whatever the order its news arrives in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import RecipientRole, WhoMustAct
from navette_report.domain.journey import RANK, Channel, Fact, LineState, open_line

START = datetime(2026, 11, 20, tzinfo=UTC)

facts = st.builds(
    Fact,
    state=st.sampled_from(LineState),
    at=st.integers(0, 20).map(lambda minutes: START + timedelta(minutes=minutes)),
    reason=st.sampled_from([None, "a", "b"]),
    who_must_act=st.sampled_from([WhoMustAct.NOBODY, WhoMustAct.SECRETARY]),
)


def line(*known: Fact):
    first, *others = known
    result = open_line("r", 1, Channel.MSS, "c", RecipientRole.REQUESTER, first)
    for fact in others:
        result = result.fold(fact)
    return result


def fact(state: LineState, minute: int, reason: str | None = None) -> Fact:
    return Fact(state=state, at=START + timedelta(minutes=minute), reason=reason)


@given(data=st.data(), known=st.lists(facts, min_size=1, max_size=8))
def test_the_order_of_the_news_does_not_matter(data, known):
    shuffled = data.draw(st.permutations(known))
    assert line(*known) == line(*shuffled)


@given(known=st.lists(facts, min_size=1, max_size=8))
def test_news_that_comes_twice_changes_nothing(known):
    assert line(*known) == line(*known, *known)
    once = line(*known)
    assert all(once.fold(fact) is once for fact in known)


@given(known=st.lists(facts, min_size=1, max_size=8))
def test_a_line_never_moves_backwards(known):
    current = line(known[0])
    for fact in known[1:]:
        after = current.fold(fact)
        assert RANK[after.shown.state] >= RANK[current.shown.state]
        assert after.shown.strength >= current.shown.strength
        assert set(current.times) <= set(after.times)
        current = after


def test_a_late_sending_does_not_undo_a_delivery():
    told = line(fact(LineState.SCHEDULED, 0), fact(LineState.DELIVERED, 3), fact(LineState.SENT, 2))
    assert told.shown.state is LineState.DELIVERED
    assert told.times[LineState.SENT] == START + timedelta(minutes=2)


def test_a_bounce_after_the_sending_counts_and_so_does_a_replay_after_the_bounce():
    bounced = line(fact(LineState.SENT, 1), fact(LineState.REFUSED, 5, "550"))
    assert bounced.shown.state is LineState.REFUSED
    assert bounced.fold(fact(LineState.SENT, 9)).shown.state is LineState.SENT


@pytest.mark.parametrize("late", [fact(LineState.REFUSED, 9, "x"), fact(LineState.WAITING, 9, "x")])
def test_a_reading_receipt_outweighs_everything(late):
    assert line(fact(LineState.READ, 4), late).shown.state is LineState.READ


def test_while_waiting_the_latest_reason_is_shown():
    told = line(fact(LineState.WAITING, 2, "ins_not_qualified"), fact(LineState.WAITING, 1, "identity_unknown"))
    assert told.shown.reason == "ins_not_qualified"
