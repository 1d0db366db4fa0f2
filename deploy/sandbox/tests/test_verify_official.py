"""The demo asks the rules of the ANS about each CDA, and says so when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from navette_sandbox.scenarios.demo import tell
from navette_sandbox.scenarios.page import write_page
from navette_sandbox.verify.deliveries import Check
from navette_sandbox.verify.official import NOT_CHECKED, check_against_the_rules, find_validator
from rich.console import Console


@pytest.mark.conformance
def test_a_document_that_breaks_the_rules_does_not_pass() -> None:
    validator = find_validator()
    if validator is None:
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    check = check_against_the_rules(validator, [b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'])
    assert not check.held
    assert "1 failed" in check.detail


def test_no_document_at_all_is_not_a_success(tmp_path: Path) -> None:
    validator = tmp_path / "validate_cda.py"
    validator.write_text("print('0 passed, 0 failed')")
    assert not check_against_the_rules(validator, []).held


def test_the_demo_says_what_it_could_not_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAVETTE_CONFORMANCE_DIR", str(tmp_path))
    assert find_validator() is None
    console = Console(record=True, width=200)
    tell(console, [Check("x", held=True)], tmp_path, 1.0, unchecked=NOT_CHECKED)
    said = console.export_text()
    assert "1 of 1 checks hold" in said
    assert NOT_CHECKED in said
    write_page(tmp_path, [], [], [Check("x", held=True)], "kafka", unchecked=NOT_CHECKED)
    assert NOT_CHECKED in (tmp_path / "index.html").read_text("utf-8")
