"""Test scenarios by name, and replies injected as an acceptance test does (``POST /state/scenario``, ``/state/reply``).

A scenario replaces the next answer: the person is the one the request describes, or the first of the data file,
with what the scenario says different about them. Names that end in a number of the CNDA show the same oddity as
that official test reply; the official file itself can be injected with ``/state/reply``.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from navette_sandbox.simulators.insi import replies
from navette_sandbox.simulators.insi.people import Matricule, Person, key_of

NIR, NIA = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"


@dataclass(frozen=True)
class Canned:
    """An answer ready to be sent."""

    status: int
    body: bytes
    code: str


def _wrong(key: str) -> str:
    return "01" if key != "01" else "02"


def _history(person: Person, *numbers: tuple[str, str]) -> Person:
    return replace(person, history=tuple(Matricule(number, key, NIR) for number, key in numbers))


def _other_sex(person: Person) -> str:
    return ("2" if person.number[0] == "1" else "1") + person.number[1:]


def _two_histories(person: Person) -> Person:
    other = _other_sex(person)
    return _history(person, (other, key_of(other)), (person.number, person.active.key))


_PEOPLE: dict[str, Callable[[Person], Person]] = {
    "found": lambda one: one,
    "nia_2.05": lambda one: replace(one, active=replace(one.active, oid=NIA), history=()),
    "history_dates_first_2.04": _two_histories,
    "history_repeats_active_2.08_1": lambda one: _history(one, (one.number, one.active.key)),
    "wrong_keys_2.08_2": lambda one: _history(
        replace(one, active=replace(one.active, key=_wrong(one.active.key))), (one.number, _wrong(one.active.key))
    ),
    "no_key": lambda one: replace(one, active=replace(one.active, key="")),
    "unknown_oid": lambda one: replace(one, active=replace(one.active, oid="1.2.250.1.213.1.4.2")),
    "no_birth_name": lambda one: replace(one, birth_name=""),
    "no_given_names": lambda one: replace(one, given_names=""),
    "no_sex": lambda one: replace(one, sex=""),
    "day_00": lambda one: replace(one, birth_date=one.birth_date[:8] + "00"),
    "month_00": lambda one: replace(one, birth_date=f"{one.birth_date[:5]}00{one.birth_date[7:]}"),
    "other_birth_name": lambda one: replace(one, birth_name="AUTRE-FICTIF"),
    "other_given_names": lambda one: replace(one, given_names=" ".join(reversed([*one.given_names.split(" "), "ZOE"]))),
    "other_sex": lambda one: replace(one, sex="M" if one.sex == "F" else "F"),
}
_FAULTS = {
    "software_unknown": "desir_550",
    "no_rights": "desir_560",
    "unavailable": "desir_1020",
    "card_search_fails": "insi_101",
    "traits_search_fails": "insi_102",
    "sex_refused": "insi_24",
    "unknown_fault": "desir_4242",
}
NAMES = frozenset(_PEOPLE) | frozenset(_FAULTS) | {"not_found", "several"}


class Script:
    """What the next answers are to be, in order."""

    def __init__(self) -> None:
        self._next: deque[str | Canned] = deque()

    def play(self, command: object) -> None:
        """`{"name": …}` or `{"names": […]}`. Raises ValueError for a name that is none."""
        if not isinstance(command, dict) or set(command) - {"name", "names"}:
            raise ValueError("scenario: name or names")
        names = command.get("names", [command.get("name")])
        if not isinstance(names, list) or not names or not set(names) <= NAMES:
            raise ValueError(f"scenario: one of {', '.join(sorted(NAMES))}")
        self._next.extend(names)

    def inject(self, command: object) -> None:
        """`{"body": text}` or `{"base64": bytes}`, with `"status": 200`: the next answer, byte for byte.

        Raises ValueError.
        """
        if not isinstance(command, dict) or set(command) - {"body", "base64", "status"}:
            raise ValueError("reply: body or base64, and status")
        text, encoded = command.get("body"), command.get("base64")
        if isinstance(text, str):
            body = text.encode()
        elif isinstance(encoded, str):
            body = base64.b64decode(encoded, validate=True)
        else:
            raise ValueError("reply: body or base64 is a text")
        self._next.append(Canned(int(command.get("status", 200)), body, "injected"))

    def clear(self) -> None:
        """Forget what is left."""
        self._next.clear()

    def answer(self, found: Sequence[Person], everyone: Sequence[Person], message_id: str) -> Canned | None:
        """The scripted answer, if one is left; `found` are the people the request describes."""
        if not self._next:
            return None
        wanted = self._next.popleft()
        if isinstance(wanted, Canned):
            return wanted
        style = replies.Style(history_dates_first=wanted == "history_dates_first_2.04")
        if wanted in _FAULTS:
            return Canned(500, replies.fault(_FAULTS[wanted], message_id, style), _FAULTS[wanted])
        if wanted == "not_found":
            return Canned(200, replies.result([], style), "01")
        if wanted == "several":
            return Canned(200, replies.result(everyone[:2], style), "02")
        person = _PEOPLE[wanted](found[0] if found else everyone[0])
        return Canned(200, replies.result([person], style), "00")
