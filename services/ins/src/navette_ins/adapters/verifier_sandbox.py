"""Verification against **the double of this project**, for development only: not a message of the teleservice.

JSON over mutual TLS under `/navette-sandbox/verification`. Everything of that made-up interface is in this module.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, get_args

import httpx
from navette_contracts.events import WhoMustAct

from navette_ins.adapters.verifier import (
    Deposited,
    LotState,
    Received,
    VerificationNotConfigured,
    VerificationTrouble,
    Verified,
    Withdrawn,
)
from navette_ins.domain.verification import Line, Subject, Verdict

_PATH: Final = "/navette-sandbox/verification"
_INS: Final = ("number", "key", "oid")
_LATER: Final = frozenset({408, 429, 502, 503, 504})


class SandboxVerifier:
    """Speaks to the INSi double; `people` has the certificate of calls by a person, `unattended` the other one."""

    def __init__(self, base_url: str, people: httpx.AsyncClient, unattended: httpx.AsyncClient | None) -> None:
        self._base_url = base_url.rstrip("/") + _PATH
        self._people = people
        self._unattended = unattended

    @property
    def unit_possible(self) -> bool:
        """Always."""
        return True

    @property
    def batches_possible(self) -> bool:
        """With the INSI-AUTO certificate only."""
        return self._unattended is not None

    async def verify(self, subject: Subject) -> Verified:
        """See `Verifier`."""
        message_id = f"uuid:{uuid.uuid4()}"
        said, received = await self._call(self._people, "POST", "/unit", {"message_id": message_id} | _parts(subject))
        return Verified(_verdict(said.get("verdict")), Received(message_id, received))

    async def deposit(self, key: str, lines: Sequence[Line], /) -> Deposited:
        """See `Verifier`. The double makes the key of its own form of the lines, so this one is not sent."""
        sent = [{"line_id": line.line_id} | _parts(line.subject) for line in lines]
        content = json.dumps(sent, sort_keys=True, separators=(",", ":"))
        own_key = hashlib.sha256(content.encode()).hexdigest()
        said, received = await self._call(self._auto(), "POST", "/lots", {"key": own_key, "lines": sent})
        try:
            expires_at = datetime.fromisoformat(str(said.get("expires_at")))
        except ValueError:
            raise VerificationTrouble("unreadable", later=True) from None
        return Deposited(str(said.get("lot_id")), expires_at, Received(key, received))

    async def state(self, lot_id: str) -> LotState:
        """See `Verifier`."""
        said, _ = await self._call(self._auto(), "GET", f"/lots/{lot_id}", None)
        state = said.get("state")
        found = next((one for one in get_args(LotState) if one == state), None)
        if found is None:
            raise VerificationTrouble("unreadable", later=True)
        return found  # type: ignore[no-any-return]  # one of the literals

    async def withdraw(self, lot_id: str) -> Withdrawn:
        """See `Verifier`."""
        said, received = await self._call(self._auto(), "GET", f"/lots/{lot_id}/result", None)
        lines = said.get("lines")
        if not isinstance(lines, list):
            raise VerificationTrouble("unreadable", later=True)
        verdicts = {str(line["line_id"]): _verdict(line["verdict"]) for line in lines}
        return Withdrawn(verdicts, Received(lot_id, received))

    def _auto(self) -> httpx.AsyncClient:
        if self._unattended is None:
            raise VerificationNotConfigured
        return self._unattended

    async def _call(
        self, client: httpx.AsyncClient, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], bytes]:
        try:
            response = await client.request(method, self._base_url + path, json=body)
        except httpx.TransportError as error:
            raise VerificationTrouble(type(error).__name__, later=True, down=True) from None
        code = f"http_{response.status_code}"
        if response.status_code in _LATER:
            raise VerificationTrouble(code, later=True, down=True)
        if response.is_error:
            who = WhoMustAct.ADMINISTRATOR if response.status_code in (401, 403) else WhoMustAct.OPERATOR
            raise VerificationTrouble(code, later=False, who=who)
        try:
            said = response.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise VerificationTrouble("unreadable", later=True)
        return said, response.content


def _parts(subject: Subject) -> dict[str, dict[str, str]]:
    values = asdict(subject)
    return {
        "ins": {name: values[name] for name in _INS},
        "traits": {name: value for name, value in values.items() if name not in _INS},
    }


def _verdict(value: object) -> Verdict:
    try:
        return Verdict(str(value))
    except ValueError:
        return Verdict.TECHNICAL
