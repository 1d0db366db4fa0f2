"""The double's own verification interface: JSON over mutual TLS, under `/navette-sandbox/verification`.

The messages of WS_INS3, WS_INS4 and WS_INS5 are not public (spec/ins.md §2.8, §2.9). This interface is made up, and
its address says so: it lets the rest of a verification (who is due, what a KO leads to, what an outage does) be
tried. A verification gives no traits back. A batch is for the INSI-AUTO certificate.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from navette_sandbox.simulators.common import Response, json_response
from navette_sandbox.simulators.faults import FaultBook
from navette_sandbox.simulators.insi.envelope import Caller
from navette_sandbox.simulators.insi.people import Person

PATH = "/navette-sandbox/verification"
MAX_LINES = 5_000
RETENTION = timedelta(days=7)
KINDS = frozenset(
    {"verification_ko", "verification_technical", "lot_never_ready", "lot_rejected", "lot_expired", "lot_lines_missing"}
)

_INS = {"number": r"\d{6}[AB0-9]\d{6}", "key": r"\d{2}", "oid": r"1\.2\.250\.1\.213\.1\.4\.(8|9|10|11)"}
_TRAITS = {
    "birth_name": r"[A-Z' -]{1,100}",
    "given_names": r"[A-Z' -]{1,300}",
    "sex": r"[FM]",
    "birth_date": r"\d{4}-\d{2}-\d{2}",
    "birth_place_code": r"\d{5}|2[AB]\d{3}",
}


class Refused(Exception):  # noqa: N818 - it is the double's answer, not an error of it
    """The request breaks `rule`."""

    def __init__(self, status: int, rule: str) -> None:
        super().__init__(rule)
        self.status = status
        self.rule = rule


@dataclass
class Lot:
    """A deposited batch."""

    lot_id: str
    key: str
    lines: list[dict[str, Any]]
    expires_at: datetime
    asked: int = 0
    deposits: int = 1
    verdicts: dict[str, str] = field(default_factory=dict)


class Verification:
    """Unit verification and batches."""

    def __init__(self, people: Sequence[Person], faults: FaultBook, now: Callable[[], datetime]) -> None:
        self._people = people
        self._faults = faults
        self._now = now
        self.lots: dict[str, Lot] = {}
        self.seen: set[str] = set()

    def answer(self, method: str, path: str, body: bytes, caller: Caller) -> Response:
        """Answer a request under `PATH`. Raises `Refused`."""
        if path == "/unit" and method == "POST":
            return json_response(self._unit(_json(body), caller))
        if caller.common_name != "INSI-AUTO":
            raise Refused(403, "a batch is deposited and withdrawn with the INSI-AUTO certificate")
        if path == "/lots" and method == "POST":
            lot, status = self._deposit(_json(body))
            return json_response({"lot_id": lot.lot_id, "expires_at": lot.expires_at.isoformat()}, status=status)
        match = re.fullmatch(r"/lots/([0-9a-f-]{36})(/result)?", path)
        lot_found = self.lots.get(match[1]) if match else None
        if match is None or lot_found is None or method != "GET":
            raise Refused(404, "the lot is one that was deposited")
        if match[2]:
            return json_response({"lines": self._result(lot_found)})
        lot_found.asked += 1
        return json_response({"state": self._state(lot_found)})

    def _unit(self, asked: Any, caller: Caller) -> dict[str, str]:
        if caller.common_name not in ("INSI-AUTO", "INSI-MANU"):
            raise Refused(403, "the certificate CN is INSI-MANU or INSI-AUTO")
        _keys(asked, {"message_id", "ins", "traits"})
        message_id = asked["message_id"]
        if not isinstance(message_id, str) or not re.fullmatch(r"uuid:[0-9a-f-]{36}", message_id):
            raise Refused(422, "message_id is uuid:<uuid4>")
        if message_id in self.seen:
            raise Refused(409, "message_id is new for each call")
        self.seen.add(message_id)
        return {"message_id": message_id, "verdict": self._verdict(_subject(asked), "unit")}

    def _deposit(self, asked: Any) -> tuple[Lot, int]:
        _keys(asked, {"key", "lines"})
        lines = asked["lines"]
        if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
            raise Refused(422, f"a lot holds 1 to {MAX_LINES} lines")
        for line in lines:
            _keys(line, {"line_id", "ins", "traits"})
            _subject(line)
        if len({line["line_id"] for line in lines}) != len(lines):
            raise Refused(422, "each line has an id of its own")
        content = json.dumps(lines, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        if asked["key"] != hashlib.sha256(content.encode()).hexdigest():
            raise Refused(422, "key is the SHA-256 of the lines")
        known = next((lot for lot in self.lots.values() if lot.key == asked["key"]), None)
        if known is not None:
            known.deposits += 1
            return known, 200
        lot = Lot(str(uuid.uuid4()), asked["key"], lines, self._now() + RETENTION)
        lot.verdicts = {line["line_id"]: self._verdict(_subject(line), "lots") for line in lines}
        self.lots[lot.lot_id] = lot
        return lot, 201

    def _state(self, lot: Lot) -> str:
        if self._faults.take("lots", "lot_rejected"):
            return "rejected"
        if self._now() >= lot.expires_at or self._faults.take("lots", "lot_expired"):
            return "expired"
        # Ready from the second time it is asked about, as a batch that takes a while.
        return "pending" if lot.asked < 2 or self._faults.take("lots", "lot_never_ready") else "ready"

    def _result(self, lot: Lot) -> list[dict[str, str]]:
        if lot.asked < 2:
            raise Refused(409, "the result of a lot is withdrawn when it is ready")
        if self._now() >= lot.expires_at:
            raise Refused(410, "the result of a lot is kept for a limited time")
        lines = [{"line_id": line_id, "verdict": verdict} for line_id, verdict in lot.verdicts.items()]
        return lines[1:] if self._faults.take("lots", "lot_lines_missing") else lines

    def _verdict(self, subject: tuple[dict[str, str], dict[str, str]], target: str) -> str:
        if self._faults.take(target, "verification_technical"):
            return "TECHNICAL"
        if self._faults.take(target, "verification_ko"):
            return "KO"
        ins, traits = subject
        for one in self._people:
            held = {"number": one.active.number, "key": one.active.key, "oid": one.active.oid}
            if held == ins:
                return "OK" if all(getattr(one, name) == value for name, value in traits.items()) else "KO"
        return "KO"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(400, "the request is JSON") from None


def _keys(value: Any, expected: set[str]) -> None:
    if not isinstance(value, dict) or set(value) != expected:
        raise Refused(422, f"an object holds {', '.join(sorted(expected))} and nothing else")


def _subject(value: Any) -> tuple[dict[str, str], dict[str, str]]:
    for part, forms in (("ins", _INS), ("traits", _TRAITS)):
        _keys(value[part], set(forms))
        for name, form in forms.items():
            if not isinstance(value[part][name], str) or not re.fullmatch(form, value[part][name]):
                raise Refused(422, f"{part}.{name} has its form")
    return value["ins"], value["traits"]
