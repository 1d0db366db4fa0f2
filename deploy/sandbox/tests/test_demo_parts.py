"""The parts of the demonstration that need no running platform: texts, artefacts, page."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import html
from navette_sandbox import group
from navette_sandbox.processes import SandboxError
from navette_sandbox.scenarios.artefacts import ReportFiles, read_mailboxes, start_output
from navette_sandbox.scenarios.catalogue import patients, reports, requesters, study_uid
from navette_sandbox.scenarios.client import arrived, settled
from navette_sandbox.scenarios.page import write_page
from navette_sandbox.scenarios.stage import Journey, Played
from navette_sandbox.verify.deliveries import Check

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_twenty_reports_cover_five_modalities_and_ten_scenarios() -> None:
    assert len(reports()) == 20
    assert len({one.title for one in reports()}) == 20
    assert {one.content["act"]["modality"] for one in reports()} == {"CT", "MR", "US", "MG", "DX"}
    numbers = {"a": 6, "b": 2, "c": 2, "d": 1, "e": 3, "f": 1, "g": 1, "h": 1, "j": 1, "p": 2}
    assert Counter(one.scenario for one in reports()) == numbers


def test_every_report_is_about_somebody_and_was_asked_for_by_somebody() -> None:
    assert len({one.patient for one in reports()}) == 17
    assert {one.patient for one in reports()} <= set(patients())
    assert {one.requester for one in reports()} <= set(requesters())


@pytest.mark.parametrize("number", range(20))
def test_an_examination_is_never_in_the_future(number: int) -> None:
    text = reports()[number]
    draft = text.draft(requesters()[text.requester], "NVT1", study_uid(1), NOW)
    assert (
        datetime.fromisoformat(draft["exam"]["started_at"]) < datetime.fromisoformat(draft["exam"]["ended_at"]) <= NOW
    )


@pytest.mark.parametrize("number", range(20))
def test_texts_are_in_french_typography(number: int) -> None:
    content = reports()[number].content
    prose = "\n".join(content[name] for name in ("indication", "technique", "comparison", "findings", "conclusion"))
    assert "'" not in prose
    assert not re.search(r" [:;!?%]|\d (?:mm|cm|mL)\b", prose)


def _played(journey: Journey) -> Played:
    text = reports()[0]
    requester = requesters()[text.requester]
    return Played(
        1, text, patients()[text.patient], requester, "site-a", "p", "r", "NVT1", study_uid(1), journey=journey
    )


def _line(state: str, label: str) -> Journey:
    return {
        "channel": "dmp",
        "kind": "report",
        "recipient": "Dossier médical partagé",
        "role": "other",
        "state": state,
        "state_label": label,
        "reason_label": "Identité <non> qualifiée" if state == "waiting" else "",
        "since": NOW.isoformat(),
    }


def test_the_page_shows_journeys_links_and_failed_checks_first(tmp_path: Path) -> None:
    played = _played({"lines": [_line("delivered", "Déposé"), _line("waiting", "En attente")]})
    files = ReportFiles(f"comptes-rendus/{played.key}", [("PDF", "comptes-rendus/01 a/cr.pdf")])
    write_page(tmp_path, [played], [files], [Check("bien", held=True), Check("mal <b>", held=False)], "kafka")
    page = html.fromstring((tmp_path / "index.html").read_text("utf-8"))
    assert page.get("lang") == "fr"
    assert page.xpath("//p[@class='links']/a/@href") == ["comptes-rendus/01%20a/cr.pdf"]
    assert page.xpath("//td/span/text()") == ["Déposé", "En attente"]
    assert page.xpath("//details[@open]/ul/li/text()") == ["mal <b>", "bien"]
    assert "Identité <non> qualifiée" in page.text_content()


def test_a_folder_that_is_no_former_demo_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(SandboxError, match="choose another with --output"):
        start_output(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_former_demo_is_replaced(tmp_path: Path) -> None:
    start_output(tmp_path / "out")
    (tmp_path / "out" / "index.html").write_text("old")
    start_output(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["journeys.json"]


def test_notices_that_come_back_to_the_sender_are_no_deliveries(tmp_path: Path) -> None:
    for box in (group.SENDER_MAILBOX, "dr@medecins.mssante.example"):
        (tmp_path / "mailboxes" / box).mkdir(parents=True)
        (tmp_path / "mailboxes" / box / "00001.eml").write_bytes(b"Subject: x\r\n\r\n")
    assert [one.mailbox for one in read_mailboxes(tmp_path)] == ["dr@medecins.mssante.example"]


def test_a_journey_without_lines_has_not_arrived() -> None:
    assert not arrived({"lines": []})
    assert not settled({"lines": []})
    assert arrived({"lines": [_line("sent", "Envoyé")]})
    assert not arrived({"lines": [_line("refused", "Refusé")]})
    assert settled({"lines": [_line("refused", "Refusé")]})
