"""The reception scenario: twenty arrivals, and a verification that sees what is not as it must be."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from navette_sandbox.scenarios.client import PlatformError
from navette_sandbox.scenarios.hospital import announce, arrival_message
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
    assert sum(one.announced for one in arrivals()) == sum(one.homonym for one in arrivals()) == 1


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
    assert "homonymie confirmée par la cellule" in written


def test_the_message_of_the_hospital_is_written_by_hand_to_the_byte() -> None:
    who = next(one.who for one in arrivals() if one.announced)
    message = arrival_message(who, "IPP-1", "VN-1", now=datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
    lines = message.decode().split("\r")
    assert lines[0].startswith(
        "MSH|^~\\&|GAM|CH-FICTIF|RIS|SITE-A|20261122100000||ADT^A04^ADT_A01|VN-1|T|2.5^FRA^2.11|"
    )
    pid = lines[2].split("|")
    assert (pid[3], pid[32]) == ("IPP-1^^^CH-FICTIF&990000044&N^PI", "PROV")
    assert lines[3].split("|")[19] == "VN-1^^^CH-FICTIF&990000044&N^VN"
    assert lines[-1] == ""


async def test_a_hospital_that_nobody_answers_says_so() -> None:
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(PlatformError, match="no answer"):
        await announce(port, b"MSH|")
    server.close()
    await server.wait_closed()


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
