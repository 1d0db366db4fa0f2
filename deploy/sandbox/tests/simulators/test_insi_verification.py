"""The INSi double's own verification interface: what it confirms, and everything it refuses."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from navette_sandbox.simulators.faults import FaultBook
from navette_sandbox.simulators.insi import people
from navette_sandbox.simulators.insi.envelope import Caller
from navette_sandbox.simulators.insi.verification import KINDS, MAX_LINES, RETENTION, Refused, Verification

AUTO, MANU, OTHER = Caller("INSI-AUTO", "1"), Caller("INSI-MANU", "1"), Caller("psc-client", "1")
INS = {"number": "2680438185901", "key": "19", "oid": "1.2.250.1.213.1.4.8"}
TRAITS = {
    "birth_name": "DUVAL-FICTIF",
    "given_names": "CAMILLE ROSE",
    "sex": "F",
    "birth_date": "1968-04-17",
    "birth_place_code": "38185",
}


class Bench:
    """The interface at a time that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.faults = FaultBook(KINDS)
        self.verification = Verification(people.load(people.DEFAULT_FILE), self.faults, lambda: self.now)

    def call(self, method: str, path: str, body: Any = None, caller: Caller = AUTO) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = self.verification.answer(method, path, raw, caller)
        return response.status, json.loads(response.body)

    def refusal(self, method: str, path: str, body: Any = None, caller: Caller = AUTO) -> int:
        with pytest.raises(Refused) as refused:
            self.call(method, path, body, caller)
        return refused.value.status

    def deposit(self, *lines: dict[str, Any]) -> str:
        return str(self.call("POST", "/lots", lot(*lines))[1]["lot_id"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def unit(**changes: Any) -> dict[str, Any]:
    return {"message_id": f"uuid:{uuid.uuid4()}", "ins": INS, "traits": TRAITS} | changes


def line(**changes: Any) -> dict[str, Any]:
    return {"line_id": str(uuid.uuid4()), "ins": INS, "traits": TRAITS} | changes


def lot(*lines: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(list(lines), sort_keys=True, separators=(",", ":"))
    return {"key": hashlib.sha256(content.encode()).hexdigest(), "lines": list(lines)}


@pytest.mark.parametrize("caller", [AUTO, MANU])
def test_an_ins_held_with_its_traits_is_confirmed_and_nothing_else_is_said(bench: Bench, caller: Caller) -> None:
    status, said = bench.call("POST", "/unit", unit(), caller)
    assert (status, set(said), said["verdict"]) == (200, {"message_id", "verdict"}, "OK")


@pytest.mark.parametrize(
    "changes",
    [
        {"traits": TRAITS | {"birth_name": "AUTRE-FICTIF"}},
        {"traits": TRAITS | {"birth_date": "1968-04-18"}},
        {"ins": INS | {"key": "18"}},
        {"ins": INS | {"oid": "1.2.250.1.213.1.4.9"}},
        {"ins": INS | {"number": "2680438185902"}},
    ],
)
def test_another_number_or_another_trait_is_not_confirmed(bench: Bench, changes: dict[str, Any]) -> None:
    assert bench.call("POST", "/unit", unit(**changes))[1]["verdict"] == "KO"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ([], 422),
        (unit(message_id="1"), 422),
        (unit(extra=1), 422),
        ({"message_id": f"uuid:{uuid.uuid4()}", "ins": INS}, 422),
        (unit(ins=INS | {"number": "268"}), 422),
        (unit(ins=INS | {"oid": "1.2.3"}), 422),
        (unit(ins={"number": INS["number"]}), 422),
        (unit(traits=TRAITS | {"birth_name": "Duval"}), 422),
        (unit(traits=TRAITS | {"sex": "I"}), 422),
        (unit(traits=TRAITS | {"birth_date": "17/04/1968"}), 422),
        (unit(traits=TRAITS | {"birth_place_code": ""}), 422),
        (unit(traits=TRAITS | {"used_name": "X"}), 422),
    ],
)
def test_a_malformed_verification_is_refused(bench: Bench, body: Any, status: int) -> None:
    assert bench.refusal("POST", "/unit", body) == status


def test_a_message_id_serves_once(bench: Bench) -> None:
    asked = unit()
    bench.call("POST", "/unit", asked)
    assert bench.refusal("POST", "/unit", asked) == 409


def test_units_are_for_both_certificates_and_batches_for_the_unattended_one(bench: Bench) -> None:
    assert bench.refusal("POST", "/unit", unit(), OTHER) == 403
    assert bench.refusal("POST", "/lots", lot(line()), MANU) == 403
    lot_id = bench.deposit(line())
    assert bench.refusal("GET", f"/lots/{lot_id}", None, MANU) == 403
    assert bench.refusal("GET", f"/lots/{lot_id}/result", None, MANU) == 403


def test_a_lot_becomes_ready_and_its_result_can_be_had_again(bench: Bench) -> None:
    good, bad = line(), line(traits=TRAITS | {"sex": "M"})
    lot_id = bench.deposit(good, bad)
    assert [bench.call("GET", f"/lots/{lot_id}")[1]["state"] for _ in range(2)] == ["pending", "ready"]
    for _ in range(2):
        verdicts = {one["line_id"]: one["verdict"] for one in bench.call("GET", f"/lots/{lot_id}/result")[1]["lines"]}
        assert verdicts == {good["line_id"]: "OK", bad["line_id"]: "KO"}


def test_the_same_lines_deposited_twice_are_one_lot(bench: Bench) -> None:
    body = lot(line())
    first, second = bench.call("POST", "/lots", body), bench.call("POST", "/lots", body)
    assert (first[0], second[0]) == (201, 200)
    assert first[1]["lot_id"] == second[1]["lot_id"]
    assert [one.deposits for one in bench.verification.lots.values()] == [2]


def _twice() -> dict[str, Any]:
    one = line()
    return lot(one, one)


@pytest.mark.parametrize(
    "make",
    [
        lambda: lot(),
        lambda: lot(*[line()] * (MAX_LINES + 1)),
        _twice,
        lambda: lot(line()) | {"key": "0" * 64},
        lambda: lot(line()) | {"name": "x"},
        lambda: lot(line(ins=INS | {"key": "x"})),
        lambda: lot({"line_id": "1", "ins": INS}),
        lambda: {"key": "0" * 64, "lines": {}},
    ],
)
def test_a_malformed_lot_is_refused(bench: Bench, make: Callable[[], dict[str, Any]]) -> None:
    assert bench.refusal("POST", "/lots", make()) == 422


def test_a_lot_that_nobody_deposited_is_not_there(bench: Bench) -> None:
    assert bench.refusal("GET", f"/lots/{uuid.uuid4()}") == 404
    assert bench.refusal("GET", "/lots/1") == 404
    assert bench.refusal("DELETE", f"/lots/{bench.deposit(line())}") == 404


def test_a_result_is_withdrawn_when_it_is_ready_and_before_it_is_gone(bench: Bench) -> None:
    lot_id = bench.deposit(line())
    assert bench.refusal("GET", f"/lots/{lot_id}/result") == 409
    bench.call("GET", f"/lots/{lot_id}")
    bench.call("GET", f"/lots/{lot_id}")
    bench.now += RETENTION + timedelta(seconds=1)
    assert bench.call("GET", f"/lots/{lot_id}")[1]["state"] == "expired"
    assert bench.refusal("GET", f"/lots/{lot_id}/result") == 410


@pytest.mark.parametrize(
    ("kind", "state"), [("lot_rejected", "rejected"), ("lot_expired", "expired"), ("lot_never_ready", "pending")]
)
def test_a_lot_fails_on_demand(bench: Bench, kind: str, state: str) -> None:
    lot_id = bench.deposit(line())
    bench.call("GET", f"/lots/{lot_id}")
    bench.faults.add({"kind": kind, "target": "lots"})
    assert bench.call("GET", f"/lots/{lot_id}")[1]["state"] == state


@pytest.mark.parametrize(("kind", "verdict"), [("verification_ko", "KO"), ("verification_technical", "TECHNICAL")])
def test_a_verdict_is_another_on_demand(bench: Bench, kind: str, verdict: str) -> None:
    bench.faults.add({"kind": kind, "target": "unit", "count": 1})
    said = [bench.call("POST", "/unit", unit())[1]["verdict"] for _ in range(2)]
    assert said == [verdict, "OK"]


def test_lines_go_missing_on_demand(bench: Bench) -> None:
    bench.faults.add({"kind": "lot_lines_missing", "target": "lots", "count": 1})
    lot_id = bench.deposit(line(), line())
    bench.call("GET", f"/lots/{lot_id}")
    bench.call("GET", f"/lots/{lot_id}")
    assert len(bench.call("GET", f"/lots/{lot_id}/result")[1]["lines"]) == 1
