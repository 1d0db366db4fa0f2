"""Whom the next document may serve instead of a message that a platform did not take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from navette_contracts.events import Audience
from navette_report.domain.pfi.letter import Action
from navette_report.domain.pfi.succession import MessageState, left_out

DMP, DOCTORS, PATIENT = Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT


@dataclass(frozen=True)
class Sent:
    number: str = "M1"
    unique_id: str = "1.1"
    replaces: str | None = None
    version: int = 1
    action: Action = Action.CREATE
    state: MessageState = MessageState.REFUSED
    platform: str = "ch"
    parties: tuple[Audience, ...] = (DOCTORS,)


def numbers(
    *sent: Sent, version: int = 1, wanted: tuple[Audience, ...] = (DMP, DOCTORS, PATIENT), nowhere: str = "1.1"
) -> list[str]:
    return [one.number for one in left_out(sent, version, wanted, {nowhere})]


@pytest.mark.parametrize("state", list(MessageState))
def test_only_what_was_certainly_not_taken_is_served_by_another_document(state: MessageState) -> None:
    left = state in (MessageState.REFUSED, MessageState.FAILED)
    assert numbers(Sent(state=state)) == (["M1"] if left else [])


@pytest.mark.parametrize("state", [MessageState.SCHEDULED, MessageState.ACCEPTED, MessageState.DOUBTFUL])
def test_nobody_is_served_twice_when_something_else_is_on_its_way(state: MessageState) -> None:
    other = Sent(number="M2", unique_id="1.2", state=state, parties=(DMP, DOCTORS))
    assert numbers(Sent(), other) == []
    assert numbers(Sent(), Sent(number="M2", unique_id="1.2", state=state, parties=(DMP, PATIENT))) == ["M1"]


def test_what_somebody_has_what_is_not_wanted_and_what_is_of_another_version_is_left_to_a_replay() -> None:
    assert numbers(Sent(), nowhere="1.9") == []  # one of its parties has it from elsewhere
    assert numbers(Sent(parties=(DOCTORS, PATIENT)), wanted=(DMP, DOCTORS)) == []
    assert numbers(Sent(), version=2) == []
    assert numbers(Sent(parties=())) == []  # a copy: it serves nobody
    assert numbers(Sent(action=Action.DELETE)) == []
