"""The reception scenario: twenty arrivals, and a verification that sees what is not as it must be."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from navette_sandbox.scenarios.reception import Outcome, _verified, arrivals, run_reception, table_of
from rich.console import Console


def record(**changes: Any) -> dict[str, Any]:
    ins = {"matricule": arrivals()[0].who.matricule}
    return {"status": "qualifiee", "ins": ins, "warnings": []} | changes


def test_the_morning_has_twenty_arrivals_of_every_kind() -> None:
    expected = [one.expected for one in arrivals()]
    assert len(expected) == 20
    assert {search for _status, search in expected} == {
        "accepted", "several", "to_decide", "not_found", "refused", "none",
    }  # fmt: skip
    assert sum(one.known for one in arrivals()) == sum(one.former is not None for one in arrivals()) == 1


@pytest.mark.parametrize(
    ("seen", "search", "problem"),
    [
        (record(status="recuperee", ins=None), "accepted", "recuperee, accepted instead of qualifiee, accepted"),
        (record(), "to_decide", "to_decide instead"),
        (record(ins=None), "accepted", "an INS is shown"),
        (record(status="validee"), "accepted", "an INS is shown"),
        (record(ins={"matricule": "155116938390254"}), "accepted", "another person's"),
    ],
)
def test_an_outcome_that_is_not_as_it_must_be_is_seen(seen: dict[str, Any], search: str, problem: str) -> None:
    first = arrivals()[0]
    assert _verified(first, record(), "accepted", []) == ()
    assert any(problem in found for found in _verified(first, seen, search, []))


def test_a_warning_that_is_missing_is_seen_and_the_row_is_marked() -> None:
    suspect = next(one for one in arrivals() if one.warning is not None)
    problems = _verified(suspect, record(status="validee", ins=None), "not_found", [])
    assert problems == ("no warning used_name_as_birth_name",)
    text = io.StringIO()
    Console(file=text, width=160).print(table_of([Outcome(suspect, "validee", "not_found", "Vérifier", problems)]))
    assert "✗ 1" in text.getvalue()


@pytest.mark.platform
@pytest.mark.timeout(600)
def test_twenty_arrivals_end_as_expected_on_the_running_platform(tmp_path: Path) -> None:
    said = io.StringIO()
    assert run_reception(tmp_path / "out", tmp_path / "sandbox", "tansu", Console(file=said, width=160)), (
        said.getvalue()
    )
    written = (tmp_path / "out" / "reception.txt").read_text(encoding="utf-8")
    assert written.count("✓") == 20
    assert "Plusieurs identités trouvées" in written
