"""Settings and senders that contradict themselves, or would be unsafe, are refused with the name of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from navette_report.domain.intake.senders import SendersInvalid, load_senders
from navette_report.settings import ReportSettings
from pydantic import ValidationError

SENDER: dict[str, Any] = {
    "name": "ancien-ris",
    "application": "OLDRIS",
    "facility": "CH",
    "site_id": "site-nord",
    "authority": "CH",
}


def settings(tmp_path: Path, **changes: Any) -> ReportSettings:
    (tmp_path / "file").write_bytes(b"k" * 32)
    named = {name: tmp_path / "file" if value == "file" else value for name, value in changes.items()}
    values = {
        "environment": "development",
        "kafka_bootstrap": "127.0.0.1:1",
        "mongo_uri": "mongodb://127.0.0.1:1",
        "psc_auth_url": "http://127.0.0.1:1",
    }
    return ReportSettings.model_validate(values | named)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"intake_port": 2575}, "intake_port needs index_key"),
        ({"intake_cert": "file"}, "intake_cert and intake_key go together"),
        ({"intake_key": "file"}, "intake_cert and intake_key go together"),
        ({"intake_ca": "file"}, "intake_ca asks senders for certificates"),
        ({"intake_senders_file": "/nowhere/senders.json"}, "intake_senders_file"),
        ({"intake_keep_days": 0}, "intake_keep_days"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(tmp_path, **changes)


def test_a_listener_in_production_shows_and_asks_for_certificates_unless_it_is_local(tmp_path: Path) -> None:
    told = "intake_cert, intake_key and intake_ca are required in production"

    def problems(**changes: Any) -> str:
        return " ".join(settings(tmp_path, index_key="file", intake_port=2575, **changes).production_problems())

    assert told in problems(intake_host="0.0.0.0")
    assert told in problems(intake_host="10.0.0.1", intake_cert="file", intake_key="file")
    assert told not in problems(intake_host="10.0.0.1", intake_cert="file", intake_key="file", intake_ca="file")
    assert told not in problems(intake_host="127.0.0.1")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"site_id": "site-inconnu"}, "unknown site"),
        ({"authority": ""}, "authority or authority_id is required"),
        ({"name": "x y"}, "name"),
        ({"professionals": {"R1": "99700000027"}}, "professionals"),
        ({"exams": {"A": {"title": "x", "acts": []}}}, "acts"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_sender_that_breaks_a_rule_is_refused_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises((SendersInvalid, ValidationError), match=told):
        load_senders(json.dumps([SENDER | changes]).encode(), ["site-nord"])


@pytest.mark.parametrize("other", [{"name": "autre"}, {"application": "AUTRE"}])
def test_no_sender_is_given_twice(other: dict[str, Any]) -> None:
    with pytest.raises(SendersInvalid, match="given twice"):
        load_senders(json.dumps([SENDER, SENDER | other]).encode(), ["site-nord"])


def test_a_sender_is_known_by_its_application_and_facility() -> None:
    found = load_senders(json.dumps([SENDER]).encode(), ["site-nord"])
    assert found[("OLDRIS", "CH")].source.actor == "intake:ancien-ris"
    assert ("OLDRIS", "AUTRE") not in found
